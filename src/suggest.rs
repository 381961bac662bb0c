//! The name that was probably meant.

/// The one of `known` that `name` is, or is a slip of the pen away from; `None` where none is near.
///
/// Case and what stands between words do not count; of the letters one in four may be wrong, left out or exchanged.
pub(crate) fn nearest<S: AsRef<str>>(name: &str, known: impl IntoIterator<Item = S>) -> Option<S> {
    let wanted = letters(name);
    let mut best: Option<(usize, S)> = None;
    for candidate in known {
        let found = letters(candidate.as_ref());
        let differences = strsim::osa_distance(&wanted, &found);
        let length = wanted.chars().count().max(found.chars().count());
        // One more than a quarter's letters, so that a name of three may have a slip too.
        let is_near = length > 0 && 4 * differences <= length + 1;
        if is_near && best.as_ref().is_none_or(|&(least, _)| differences < least) {
            best = Some((differences, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The end of a message where another name is near, `; did you mean …?`; empty otherwise.
pub(crate) fn hint<S: AsRef<str>>(name: &str, known: impl IntoIterator<Item = S>) -> String {
    match nearest(name, known) {
        Some(meant) if meant.as_ref() != name => format!("; did you mean `{}`?", meant.as_ref()),
        _ => String::new(),
    }
}

/// The ways to name an adapter with this id, `backend:name`: whole, and by each word of the name.
pub(crate) fn selectors(id: &str) -> Vec<String> {
    let Some((backend, name)) = id.split_once(':') else { return vec![id.to_string()] };
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().any(char::is_alphabetic));
    let whole = [id.to_string(), name.to_string(), format!("{backend}:")];
    whole.into_iter().chain(words.flat_map(|word| [word.to_string(), format!("{backend}:{word}")])).collect()
}

/// What of a name counts.
pub(crate) fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSSES: [&str; 8] =
        ["mse", "mae", "huber", "smooth_l1", "cross_entropy", "cross_entropy_soft", "kl_div", "triplet_margin"];

    #[test]
    fn slips_of_the_pen_find_the_name() {
        for (slip, meant) in [
            ("crossentropy", "cross_entropy"),
            ("cross-entropy", "cross_entropy"),
            ("CrossEntropy", "cross_entropy"),
            ("crossentropysoft", "cross_entropy_soft"),
            ("crosentropy", "cross_entropy"),
            ("hubre", "huber"),
            ("mes", "mse"),
            ("MAE", "mae"),
            ("SmoothL1", "smooth_l1"),
            ("KLDiv", "kl_div"),
            ("triplet_margni", "triplet_margin"),
        ] {
            assert_eq!(nearest(slip, LOSSES), Some(meant), "{slip}");
        }
    }

    #[test]
    fn names_that_are_far_from_all_find_none() {
        for far in ["", "_", "x", "hubris", "entropy", "perplexity", "dice", "mmm", "triplet", "交差エントロピー"]
        {
            assert_eq!(nearest(far, LOSSES), None, "{far}");
        }
        assert_eq!(nearest("x3", ["x1", "x2"]), None);
        assert_eq!(nearest("", ["", "_"]), None);
        assert_eq!(nearest("mse", [""; 0]), None);
    }

    #[test]
    fn a_known_name_needs_no_hint() {
        assert_eq!(nearest("mse", LOSSES), Some("mse"));
        assert_eq!(hint("target", ["targets", "target"]), "");
    }

    #[test]
    fn adapters_are_named_by_any_word_of_theirs() {
        let known = || selectors("vulkan:llvmpipe (LLVM 15.0.6, 256 bits)").into_iter();
        for (slip, meant) in [
            ("llvmpie", "llvmpipe"),
            ("vulcan", "vulkan:"),
            ("vulcan:llvmpipe", "vulkan:llvmpipe"),
            ("vulkan:lvmpipe", "vulkan:llvmpipe"),
        ] {
            assert_eq!(nearest(slip, known()).as_deref(), Some(meant), "{slip}");
        }
        for far in ["nvidia", "metal:apple", "256x"] {
            assert_eq!(nearest(far, known()), None, "{far}");
        }
    }
}
