//! JSON that stops growing.

use std::io;

use serde::Serialize;

/// The text has no room for what should be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// JSON in the making, of at most `max` bytes.
#[derive(Debug)]
pub(super) struct Text {
    bytes: Vec<u8>,
    max: usize,
}

impl Text {
    pub fn new(max: usize) -> Self {
        Self { bytes: Vec::new(), max }
    }

    /// The JSON of `value`, if it fits.
    pub fn of<T: Serialize>(value: &T, max: usize) -> Result<String, Full> {
        let mut text = Self::new(max);
        text.push(value)?;
        Ok(text.into_string())
    }

    pub fn push<T: Serialize>(&mut self, value: &T) -> Result<(), Full> {
        serde_json::to_writer(self, value).map_err(|_| Full)
    }

    /// Adds `value` to a list; what stands between two elements is written here.
    pub fn push_element<T: Serialize>(&mut self, value: &T) -> Result<(), Full> {
        if !self.bytes.is_empty() {
            io::Write::write_all(self, b",").map_err(|_| Full)?;
        }
        self.push(value)
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn into_string(self) -> String {
        String::from_utf8(self.bytes).expect("serde_json writes UTF-8")
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.max - self.bytes.len() < bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_refuses_what_would_exceed_its_limit() {
        assert_eq!(Text::of(&"12", 4), Ok("\"12\"".to_owned()));
        assert_eq!(Text::of(&"123", 4), Err(Full));
        let mut text = Text::new(3);
        assert_eq!([text.push_element(&1), text.push_element(&2), text.push_element(&3)], [Ok(()), Ok(()), Err(Full)]);
    }
}
