//! Colours and lines for a terminal, plain text for everything else.

use std::io::IsTerminal;

use supervision::ChildState;

/// What the reader can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Terminal { colours: bool },
}

impl Style {
    /// As the standard output is now.
    pub fn of_stdout() -> Self {
        let stdout = std::io::stdout();
        // https://no-color.org
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        if stdout.is_terminal() { Self::Terminal { colours } } else { Self::Plain }
    }

    pub fn is_terminal(self) -> bool {
        self != Self::Plain
    }

    /// What stands before a branch: for one with others below it, for the last, and before what hangs on either of them.
    pub fn branches(self) -> [&'static str; 4] {
        match self {
            Self::Plain => ["|- ", "`- ", "|  ", "   "],
            Self::Terminal { .. } => ["├─ ", "└─ ", "│  ", "   "],
        }
    }

    /// `text` in the colour of `state`.
    pub fn state(self, state: ChildState, is_slow: bool, text: &str) -> String {
        const GREEN: u8 = 32;
        const YELLOW: u8 = 33;
        const RED: u8 = 31;
        let colour = match state {
            ChildState::Running if !is_slow => GREEN,
            ChildState::Failed => RED,
            _ => YELLOW,
        };
        if self == (Self::Terminal { colours: true }) { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
