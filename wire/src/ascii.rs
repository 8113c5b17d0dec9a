//! JSON in ASCII, so that a line may be cut at any byte and still be text.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// `value` as one line of ASCII JSON, without the newline.
pub(crate) fn to_vec(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut line, Ascii))?;
    Ok(line)
}

struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.is_ascii() {
            return writer.write_all(fragment.as_bytes());
        }
        for unit in fragment.encode_utf16() {
            match u8::try_from(unit) {
                Ok(byte) if byte.is_ascii() => writer.write_all(&[byte])?,
                _ => write!(writer, "\\u{unit:04x}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_not_ascii_is_escaped_and_comes_back() {
        let text = "caf\u{e9} \u{1f9a0} \"\n\"";
        let line = to_vec(&text).unwrap();
        assert!(line.is_ascii() && !line.contains(&b'\n'));
        assert_eq!(serde_json::from_slice::<String>(&line).unwrap(), text);
    }
}
