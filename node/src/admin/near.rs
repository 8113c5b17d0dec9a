//! Did you mean: names that are close to one that is not there.

const MOST: usize = 3;
/// Names less alike than this, from 0 to 1, are no typing mistake.
const ALIKE: f64 = 0.75;

/// The names closest to `wanted`, best first: those it is a part of, then those with a letter or two else.
pub(super) fn near<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_ascii_lowercase();
    let likeness = |name: &str| {
        let is_part = 3 <= wanted.len() && name.contains(&wanted);
        if is_part { 1.0 } else { strsim::jaro_winkler(&wanted, name) }
    };
    let mut close: Vec<_> = names.into_iter().map(|name| (likeness(name), name)).filter(|(likeness, _)| ALIKE <= *likeness).collect();
    close.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    close.into_iter().map(|(_, name)| name).take(MOST).collect()
}

/// `there is no actor X`, with what may have been meant.
pub(super) fn unknown<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let near = near(wanted, names.clone());
    if !near.is_empty() {
        return format!("there is no actor {wanted:?}; did you mean {}?", near.join(" or "));
    }
    // Sessions come and go and are many; nobody means one by mistake.
    let all: Vec<_> = names.into_iter().filter(|name| !name.contains('/')).collect();
    format!("there is no actor {wanted:?}; there are {}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 6] = ["storage", "signer", "mempool", "p2p.gossip", "p2p.listener", "consensus"];

    #[test]
    fn a_slip_of_the_pen_and_a_part_of_the_name_find_it() {
        for (wanted, found) in
            [("mempol", "mempool"), ("gossip", "p2p.gossip"), ("Consensus", "consensus"), ("storgae", "storage"), ("listener", "p2p.listener")]
        {
            assert_eq!(near(wanted, NAMES).first(), Some(&found), "{wanted}");
        }
    }

    #[test]
    fn what_is_like_nothing_is_answered_with_all_names() {
        let text = unknown("xyz", NAMES.into_iter().chain(["p2p.gossip.session/1"]));
        assert_eq!(text, "there is no actor \"xyz\"; there are storage, signer, mempool, p2p.gossip, p2p.listener, consensus");
        assert_eq!(unknown("mempol", NAMES), "there is no actor \"mempol\"; did you mean mempool?");
    }
}
