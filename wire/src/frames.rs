//! Cuts a stream of bytes into frames.
//!
//! A frame is what stands before a `\n`. A WebSocket message may carry many frames, or a part of one; only the newline
//! ends a frame. Empty lines are keepalives and are skipped. No I/O: feed it bytes, take frames out.

use bytes::Bytes;

use crate::Codec;

/// Bytes of frames that have not been taken yet; at most one frame that is not whole, and what was fed last.
#[derive(Debug)]
pub struct Frames {
    /// The beginning of a frame that has not ended.
    carry: Vec<u8>,
    input: Bytes,
    codec: Codec,
    max_frame_bytes: usize,
}

/// A line grew beyond what a frame may have. Where the next frame begins is unknown, so the link cannot be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame is longer than {max_frame_bytes} bytes")]
pub struct FrameTooLong {
    pub max_frame_bytes: usize,
}

impl Frames {
    /// `max_frame_bytes` counts a frame without its newline.
    pub fn new(codec: Codec, max_frame_bytes: usize) -> Self {
        Self { carry: Vec::new(), input: Bytes::new(), codec, max_frame_bytes }
    }

    /// Adds bytes as they arrived. Take all frames before feeding again.
    pub fn feed(&mut self, bytes: Bytes) {
        self.input = if self.input.is_empty() { bytes } else { [&self.input[..], &bytes[..]].concat().into() };
    }

    /// The next whole frame, without its newline; none until more bytes are fed.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameTooLong> {
        while let Some(end) = memchr::memchr(b'\n', &self.input) {
            self.check(end)?;
            let line = self.input.split_to(end);
            let _newline = self.input.split_to(1);
            let frame = self.join(line);
            if !self.is_keepalive(&frame) {
                return Ok(Some(frame));
            }
        }
        self.check(self.input.len())?;
        self.carry.extend_from_slice(&std::mem::take(&mut self.input));
        Ok(None)
    }

    fn check(&self, more: usize) -> Result<(), FrameTooLong> {
        let is_too_long = self.max_frame_bytes < self.carry.len() + more;
        if is_too_long { Err(FrameTooLong { max_frame_bytes: self.max_frame_bytes }) } else { Ok(()) }
    }

    fn join(&mut self, end: Bytes) -> Bytes {
        if self.carry.is_empty() {
            return end;
        }
        self.carry.extend_from_slice(&end);
        std::mem::take(&mut self.carry).into()
    }

    /// In text, a carriage return before the newline belongs to the line's end; in stuffed bytes it is a byte like any other.
    fn is_keepalive(&self, frame: &[u8]) -> bool {
        frame.is_empty() || (self.codec == Codec::Json && frame.trim_ascii().is_empty())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn take_all(chunks: &[&[u8]], max_frame_bytes: usize) -> Result<Vec<Bytes>, FrameTooLong> {
        let mut frames = Frames::new(Codec::Json, max_frame_bytes);
        let mut seen = Vec::new();
        for chunk in chunks {
            frames.feed(Bytes::copy_from_slice(chunk));
            while let Some(frame) = frames.next_frame()? {
                seen.push(frame);
            }
        }
        Ok(seen)
    }

    #[track_caller]
    fn check(chunks: &[&str], expected: Result<&[&str], FrameTooLong>) {
        let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
        let expected = expected.map(|frames| frames.iter().map(|frame| Bytes::copy_from_slice(frame.as_bytes())).collect::<Vec<_>>());
        assert_eq!(take_all(&chunks, 8), expected);
    }

    #[test]
    fn frames_concatenated_and_split() {
        check(&["{1}\n{2}\n"], Ok(&["{1}", "{2}"]));
        check(&["{1", "", "}\n{", "2}\n"], Ok(&["{1}", "{2}"]));
        check(&["{1}\n{2"], Ok(&["{1}"]));
    }

    #[test]
    fn empty_lines_are_keepalives_also_with_carriage_returns() {
        check(&["\n\n{1}\n\n"], Ok(&["{1}"]));
        check(&["\r\n", "\r", "\n{1}\r\n"], Ok(&["{1}\r"]));
    }

    #[test]
    fn an_endless_line_is_refused_before_it_ends() {
        check(&["12345678\n"], Ok(&["12345678"]));
        check(&["12345678", "9"], Err(FrameTooLong { max_frame_bytes: 8 }));
        check(&["123456789\n"], Err(FrameTooLong { max_frame_bytes: 8 }));
    }

    #[test]
    fn a_carriage_return_inside_stuffed_bytes_is_a_byte() {
        let mut frames = Frames::new(Codec::Msgpack, 8);
        frames.feed(Bytes::from_static(b"\r\n\n"));
        assert_eq!(frames.next_frame(), Ok(Some(Bytes::from_static(b"\r"))));
        assert_eq!(frames.next_frame(), Ok(None));
    }

    proptest! {
        #[test]
        fn any_chunking_equals_the_whole(text in "[ab\n\r]{0,200}", cuts in prop::collection::vec(0usize..200, 0..12)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(take_all(&chunks, 40), take_all(&[text.as_bytes()], 40));
        }
    }
}
