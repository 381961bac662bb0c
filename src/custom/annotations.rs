//! What comments of a text declare of its loss.

use super::{
    CustomFault, CustomLossBuilder,
    words::{Word, line_comments},
};
use crate::{
    kernel::Place,
    spec::{Domain, Rule, Value},
};

const PARAM: &str = "`// param NAME = VALUE`, behind a number also `above 0`, `at least 0` or `from 0 to 1`";
const TARGET: &str = "`// target at least 0`, `// target from 0 to 1` or `// target -1 or 1`";
const ONE_TARGET: &str = "one line that begins with `// target`, this is another";

/// The loss with what the comments of its text declare.
pub(super) fn read(mut loss: CustomLossBuilder, wgsl: &str) -> Result<CustomLossBuilder, CustomFault> {
    let mut has_target = false;
    for Word { text, byte } in line_comments(wgsl) {
        let location = Place::of(&loss.file, wgsl, byte).to_string();
        let fault = |expected| CustomFault::Annotation { location: location.clone(), expected };
        let comment = text.trim_start_matches("//").trim();
        if let Some(param) = comment.strip_prefix("param ") {
            let (name, value, rule) = param_of(param).ok_or_else(|| fault(PARAM))?;
            loss = loss.param_within(name, value, rule);
        } else if let Some(domain) = comment.strip_prefix("target ") {
            let domain = domain_of(domain).ok_or_else(|| fault(TARGET))?;
            if has_target {
                return Err(fault(ONE_TARGET));
            }
            (loss, has_target) = (loss.target(domain), true);
        }
    }
    Ok(loss)
}

/// A parameter of a declaration such as `delta = 1.5 above 0`.
fn param_of(text: &str) -> Option<(&str, Value, Rule)> {
    let (name, rest) = text.split_once('=')?;
    let (value, rule) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
    if let Ok(flag) = value.parse::<bool>() {
        return rule.is_empty().then_some((name.trim(), Value::Flag(flag), Rule::Flag));
    }
    let rule = match rule.trim() {
        "" => Rule::Finite,
        "above 0" => Rule::Positive,
        "at least 0" => Rule::NonNegative,
        "from 0 to 1" => Rule::Unit,
        _ => return None,
    };
    Some((name.trim(), Value::Number(value.parse().ok()?), rule))
}

fn domain_of(text: &str) -> Option<Domain> {
    match text.trim() {
        "at least 0" => Some(Domain::NonNegative),
        "from 0 to 1" => Some(Domain::Probability),
        "-1 or 1" => Some(Domain::Sign),
        _ => None,
    }
}
