//! The line on a terminal that is rewritten in place while a command runs.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::arguments::Output;

/// A line of text at the foot of standard output; none where that is no terminal, or is for programs.
pub(super) fn line(output: Output) -> Option<ProgressBar> {
    let is_living = output == Output::Text && std::io::stdout().is_terminal();
    is_living.then(|| {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        bar.with_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()))
    })
}
