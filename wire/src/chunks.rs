//! What is larger than a frame, cut into chunks and put together again.
//!
//! The outline comes first: how many bytes, and their blake3 hash. It bounds everything that follows. All chunks but the
//! last have [`MAX_CHUNK_BYTES`] bytes, so an index says where a chunk belongs and chunks may come in any order: a link
//! keeps order, but a chunk that its receiver had no room for is asked for again and comes late.

use std::collections::BTreeMap;

use primitives::{B256, Bytes, limits::MAX_CHUNK_BYTES};
use serde::{Deserialize, Serialize};

/// Size and hash of a stream, known before its first chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Outline {
    /// Length of the whole, in bytes.
    pub total_bytes: u64,
    /// blake3 of the whole.
    pub hash: B256,
}

/// Why a stream, or a chunk of it, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("a stream of {total_bytes} bytes is announced; at most {max_bytes} are taken")]
    Oversize { total_bytes: u64, max_bytes: usize },
    #[error("chunk {index} is outside a stream of {chunks}")]
    OutOfRange { index: u32, chunks: u32 },
    #[error("chunk {index} came twice")]
    Duplicate { index: u32 },
    #[error("chunk {index} has {got} bytes instead of {expected}")]
    WrongLength { index: u32, expected: usize, got: usize },
    #[error("the stream hashes to {got}, but {expected} was announced")]
    WrongHash { expected: B256, got: B256 },
}

/// blake3 of `bytes`.
pub fn hash(bytes: &[u8]) -> B256 {
    B256::new(*blake3::hash(bytes).as_bytes())
}

/// The chunks of `whole` with their indexes; none for nothing. No byte is copied.
pub fn cut(whole: &Bytes) -> impl ExactSizeIterator<Item = (u32, Bytes)> + '_ {
    let outline_of_length = Outline { total_bytes: whole.len() as u64, hash: B256::ZERO };
    (0..outline_of_length.chunks()).map(move |index| {
        let begin = index as usize * MAX_CHUNK_BYTES;
        let end = whole.len().min(begin + MAX_CHUNK_BYTES);
        (index, whole.slice(begin..end))
    })
}

impl Outline {
    /// The outline of `whole`.
    pub fn of(whole: &[u8]) -> Self {
        Self { total_bytes: whole.len() as u64, hash: hash(whole) }
    }

    /// How many chunks there are. An absurd length gives an absurd number: [`Assembly::new`] refuses those.
    pub fn chunks(&self) -> u32 {
        u32::try_from(self.total_bytes.div_ceil(MAX_CHUNK_BYTES as u64)).unwrap_or(u32::MAX)
    }

    fn length_of(&self, index: u32) -> usize {
        let begin = u64::from(index) * MAX_CHUNK_BYTES as u64;
        self.total_bytes.saturating_sub(begin).min(MAX_CHUNK_BYTES as u64) as usize
    }
}

/// A stream on its way in. Holds what has arrived and never more than was announced.
#[derive(Debug)]
pub struct Assembly {
    outline: Outline,
    chunks: BTreeMap<u32, Bytes>,
}

impl Assembly {
    /// An empty assembly for a stream of at most `max_bytes`.
    pub fn new(outline: Outline, max_bytes: usize) -> Result<Self, ChunkError> {
        let total_bytes = outline.total_bytes;
        let is_oversize = usize::try_from(total_bytes).map_or(true, |total| max_bytes < total);
        if is_oversize {
            return Err(ChunkError::Oversize { total_bytes, max_bytes });
        }
        Ok(Self { outline, chunks: BTreeMap::new() })
    }

    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Takes one chunk; says whether the stream is whole now.
    pub fn insert(&mut self, index: u32, bytes: Bytes) -> Result<bool, ChunkError> {
        let chunks = self.outline.chunks();
        if chunks <= index {
            return Err(ChunkError::OutOfRange { index, chunks });
        }
        let (expected, got) = (self.outline.length_of(index), bytes.len());
        if expected != got {
            return Err(ChunkError::WrongLength { index, expected, got });
        }
        if self.chunks.contains_key(&index) {
            return Err(ChunkError::Duplicate { index });
        }
        self.chunks.insert(index, bytes);
        Ok(self.is_whole())
    }

    pub fn is_whole(&self) -> bool {
        self.chunks.len() == self.outline.chunks() as usize
    }

    /// Indexes of the chunks that are here, in order.
    pub fn present(&self) -> impl Iterator<Item = u32> + '_ {
        self.chunks.keys().copied()
    }

    /// Indexes of the chunks that are not here, in order.
    pub fn missing(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.outline.chunks()).filter(|index| !self.chunks.contains_key(index))
    }

    /// The whole, checked against its hash; none while chunks are missing.
    pub fn finish(&self) -> Result<Option<Bytes>, ChunkError> {
        if !self.is_whole() {
            return Ok(None);
        }
        let mut whole = Vec::with_capacity(self.outline.total_bytes as usize);
        self.chunks.values().for_each(|chunk| whole.extend_from_slice(chunk));
        let (expected, got) = (self.outline.hash, hash(&whole));
        if expected == got { Ok(Some(whole.into())) } else { Err(ChunkError::WrongHash { expected, got }) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn whole(length: usize) -> Bytes {
        (0..length).map(|i| (i % 251) as u8).collect::<Vec<_>>().into()
    }

    fn assemble(whole: &Bytes, chunks: impl Iterator<Item = (u32, Bytes)>) -> Assembly {
        let mut assembly = Assembly::new(Outline::of(whole), whole.len()).unwrap();
        for (index, bytes) in chunks {
            assembly.insert(index, bytes).unwrap();
        }
        assembly
    }

    #[test]
    fn any_length_and_any_order_comes_back() {
        for length in [0, 1, MAX_CHUNK_BYTES - 1, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES + 1, 3 * MAX_CHUNK_BYTES] {
            let whole = whole(length);
            assert_eq!(assemble(&whole, cut(&whole)).finish(), Ok(Some(whole.clone())), "{length} bytes");
            let mut backwards: Vec<_> = cut(&whole).collect();
            backwards.reverse();
            assert_eq!(assemble(&whole, backwards.into_iter()).finish(), Ok(Some(whole)));
        }
    }

    #[test]
    fn what_is_missing_is_known() {
        let whole = whole(3 * MAX_CHUNK_BYTES);
        let assembly = assemble(&whole, cut(&whole).filter(|(index, _)| *index != 1));
        assert_eq!(assembly.finish(), Ok(None));
        assert_eq!(assembly.missing().collect::<Vec<_>>(), [1]);
        assert_eq!(assembly.present().collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn a_chunk_that_does_not_belong_is_refused_by_name() {
        let whole = whole(MAX_CHUNK_BYTES + 5);
        let mut assembly = Assembly::new(Outline::of(&whole), whole.len()).unwrap();
        assert_eq!(assembly.insert(2, Bytes::new()), Err(ChunkError::OutOfRange { index: 2, chunks: 2 }));
        assert_eq!(assembly.insert(1, whole.slice(..6)), Err(ChunkError::WrongLength { index: 1, expected: 5, got: 6 }));
        assert_eq!(assembly.insert(1, whole.slice(..5)), Ok(false));
        assert_eq!(assembly.insert(1, whole.slice(..5)), Err(ChunkError::Duplicate { index: 1 }));
    }

    #[test]
    fn more_than_is_taken_is_refused_at_the_announcement() {
        for total_bytes in [11, u64::MAX] {
            let outline = Outline { total_bytes, hash: B256::ZERO };
            assert_eq!(Assembly::new(outline, 10).unwrap_err(), ChunkError::Oversize { total_bytes, max_bytes: 10 });
        }
    }

    #[test]
    fn a_stream_that_is_not_what_was_announced_is_refused() {
        let whole = whole(10);
        let outline = Outline { hash: B256::ZERO, ..Outline::of(&whole) };
        let mut assembly = Assembly::new(outline, 10).unwrap();
        assert_eq!(assembly.insert(0, whole.clone()), Ok(true));
        assert_eq!(assembly.finish(), Err(ChunkError::WrongHash { expected: B256::ZERO, got: hash(&whole) }));
    }
}
