//! The trace a message belongs to.

use std::{fmt, str::FromStr};

/// A W3C `traceparent`, version 00: `00-<trace id>-<span id>-<flags>`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TraceParent(Box<str>);

/// Text that is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent of version 00")]
pub struct MalformedTraceParent;

impl TraceParent {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TraceParent {
    type Err = MalformedTraceParent;

    fn from_str(text: &str) -> Result<Self, MalformedTraceParent> {
        let parts: Vec<&str> = text.splitn(5, '-').collect();
        let [version, trace, span, flags] = parts[..] else { return Err(MalformedTraceParent) };
        let is_hex = |part: &str, length| part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_zero = |part: &str| part.bytes().all(|byte| byte == b'0');
        let is_valid = version == "00" && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2) && !is_zero(trace) && !is_zero(span);
        if is_valid { Ok(Self(text.into())) } else { Err(MalformedTraceParent) }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_the_standard_is_taken() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(good.parse::<TraceParent>().is_ok_and(|parent| parent.as_str() == good));
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        for bad in ["", "00", &good[..54], &format!("{good}-x"), &good.to_uppercase(), &good.replacen("00", "01", 1), zero] {
            assert_eq!(bad.parse::<TraceParent>(), Err(MalformedTraceParent), "{bad}");
        }
    }
}
