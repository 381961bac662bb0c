//! What comments of a text declare of its loss.

use super::{CustomFault, CustomLossBuilder};
use crate::{
    kernel::Place,
    spec::{Domain, Rule, Value},
};

const PARAM: &str = "`// param NAME = VALUE`, behind a number also `above 0`, `at least 0` or `from 0 to 1`";
const TARGET: &str = "`// target at least 0`, `// target from 0 to 1` or `// target -1 or 1`";

/// The loss with what the comments of its text declare.
pub(super) fn read(mut loss: CustomLossBuilder, wgsl: &str) -> Result<CustomLossBuilder, CustomFault> {
    let mut byte = 0;
    for line in wgsl.split_inclusive('\n') {
        let fault = |loss: &CustomLossBuilder, expected| CustomFault::Annotation {
            location: Place::of(&loss.file, wgsl, byte + line.len() - line.trim_start().len()).to_string(),
            expected,
        };
        let comment = line.trim().strip_prefix("//").map(str::trim).unwrap_or_default();
        if let Some(param) = comment.strip_prefix("param ") {
            let (name, value, rule) = param_of(param).ok_or_else(|| fault(&loss, PARAM))?;
            loss = loss.param_within(name, value, rule);
        } else if let Some(domain) = comment.strip_prefix("target ") {
            let domain = domain_of(domain).ok_or_else(|| fault(&loss, TARGET))?;
            loss = loss.target(domain);
        }
        byte += line.len();
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
