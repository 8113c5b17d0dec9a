//! What went wrong, for people or for programs.
//!
//! Who asks for JSON gets errors in it too: one line on stderr, the last one there, while stdout holds data or nothing.
//!
//! ```text
//!   {"error":{"at":[..],"code":"usage","exit_code":2,"message":"..","remedy":".."}}
//! ```

use std::ffi::OsString;

use super::arguments::Output;
use crate::exit::{ExitCode, Failure};

/// How a command line wants its errors, be it one that makes sense or not.
pub fn output(arguments: &[OsString], environment: &[(String, String)]) -> Output {
    let arguments: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    // The directory of `testnet init` has the name that the format has elsewhere.
    let flag = if arguments.get(1) == Some(&"testnet") { "--format" } else { "--output" };
    let apart = arguments.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1]).next_back();
    let joined = arguments.iter().filter_map(|argument| argument.strip_prefix(flag)?.strip_prefix('=')).next_back();
    let set = environment.iter().find(|(name, _)| name == "AXOLOTL_OUTPUT").map(|(_, value)| value.as_str());
    if apart.or(joined).or(set) == Some("json") { Output::Json } else { Output::Text }
}

/// The failure as `output` has it.
pub fn text(failure: &Failure, output: Output) -> String {
    match output {
        Output::Text => failure.to_string(),
        Output::Json => failure.to_json().to_string(),
    }
}

/// A command line that makes no sense: the message is what is wrong, the remedy all advice that comes with it.
pub fn usage(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let (what, advice) = text.split_once("\n\n").unwrap_or((&text, "try `axolotl --help`"));
    let what: Vec<&str> = what.trim_start_matches("error: ").lines().map(str::trim).collect();
    Failure::new(ExitCode::Usage, what.join(" ")).remedy(advice.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(line: &str, environment: &[(&str, &str)]) -> Output {
        let arguments: Vec<_> = line.split(' ').map(OsString::from).collect();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        output(&arguments, &environment)
    }

    #[test]
    fn json_is_asked_for_by_flag_or_environment_and_the_flag_wins() {
        for line in
            ["axolotl status --output json", "axolotl status --output=json", "axolotl statsu --output json --x", "axolotl testnet init --format json"]
        {
            assert_eq!(wanted(line, &[]), Output::Json, "{line}");
        }
        for line in ["axolotl status", "axolotl status --output text", "axolotl testnet init -v 4 --output json"] {
            assert_eq!(wanted(line, &[]), Output::Text, "{line}");
        }
        let set = [("AXOLOTL_OUTPUT", "json")];
        assert_eq!((wanted("axolotl status", &set), wanted("axolotl status --output text", &set)), (Output::Json, Output::Text));
    }
}
