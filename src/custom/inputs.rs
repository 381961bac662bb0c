//! Which inputs a loss that is made while the program runs may have.

use crate::spec::{CLASS_WEIGHT, DIVISOR, Domain, Input, Kind, MASK, Shape, UPSTREAM, WEIGHT};

use super::words::is_identifier;

/// What an input breaks, of a loss of rows or of elements, which these inputs stand before.
pub(super) fn refused(input: &Input, before: &[Input], is_of_rows: bool) -> Option<&'static str> {
    if *input == WEIGHT {
        return None;
    }
    let taken = [WEIGHT.name, MASK.name, UPSTREAM.name, DIVISOR.name, "loss"];
    if !is_identifier(input.name) || taken.contains(&input.name) {
        return Some("it needs a name of letters, digits and underscores that no other tensor has");
    }
    if before.iter().any(|other| other.name == input.name) {
        return Some("there is one of its name already");
    }
    if input.optional && input.differentiable {
        return Some("what has a gradient is required");
    }
    if is_of_rows { of_rows(input, before) } else { of_elements(input, before) }
}

fn of_elements(input: &Input, before: &[Input]) -> Option<&'static str> {
    let gradients = before.iter().filter(|input| input.differentiable).count();
    if before.is_empty() && !input.differentiable {
        return Some("the first one is differentiable");
    }
    if input.shape != Shape::Items && (input.shape != Shape::LastAxis || input.differentiable) {
        return Some("of elements it has the shape `Items`, or `LastAxis` without a gradient");
    }
    if input.kind != Kind::Float || input.as_indices.is_some() {
        return Some("of elements it holds floats");
    }
    if !has_domain_of_elements(input.domain) {
        return Some("no element has such a domain");
    }
    (input.differentiable && gradients == 3).then_some("at most three have gradients")
}

/// Whether kernels of elements check a domain, or leave its values as they are.
fn has_domain_of_elements(domain: Domain) -> bool {
    match domain {
        Domain::Real
        | Domain::LogRate
        | Domain::NonNegative
        | Domain::Count
        | Domain::Probability
        | Domain::LogProbability
        | Domain::Sign
        | Domain::Weight
        | Domain::SignedWeight
        | Domain::Similar => true,
        Domain::Where(_, on, off) => has_domain_of_elements(*on) && has_domain_of_elements(*off),
        _ => false,
    }
}

fn of_rows(input: &Input, before: &[Input]) -> Option<&'static str> {
    let is_first = before.is_empty();
    match (input.shape, input.kind) {
        (Shape::Rows, Kind::Float) if is_first => {
            let may_be = matches!(input.domain, Domain::Real | Domain::LogProbability);
            (!input.differentiable || !may_be).then_some("the first one is differentiable, `Real` or `LogProbability`")
        }
        _ if is_first => Some("the first one has the shape `Rows`"),
        (Shape::Rows, Kind::Float) if !before[1..].iter().any(|other| other.shape == Shape::Rows) => {
            let may_be = matches!(input.domain, Domain::Real | Domain::Probability);
            let is_plain = !input.differentiable && !input.optional && input.as_indices.is_none();
            (!may_be || !is_plain).then_some("the second one of its shape has no gradient, `Real` or `Probability`")
        }
        (Shape::Items, Kind::Index) if input.name == "target" && input.domain == Domain::Class => {
            (input.differentiable || input.optional).then_some("class indices are required")
        }
        (Shape::Classes, _) if *input == CLASS_WEIGHT => None,
        _ => Some(
            "of rows there are one or two of the shape `Rows`, class indices of the name `target`, and `CLASS_WEIGHT`",
        ),
    }
}

/// A hook as the driver calls it, for these inputs.
pub(super) fn signature(hook: &str, inputs: &[Input]) -> String {
    match hook {
        "row_outcome" => "fn row_outcome(row: Row) -> Outcome".to_string(),
        "class_gradient" => "fn class_gradient(row: Row, cell: Cell) -> f32".to_string(),
        _ => {
            let hooked = || inputs.iter().filter(|input| input.name != WEIGHT.name);
            // By their first letters, because some names are words of WGSL.
            let argument = |input: &Input| format!("{}: f32", &input.name[..1]);
            let arguments: Vec<String> = hooked().map(argument).collect();
            let values = 1 + hooked().filter(|input| input.differentiable).count();
            format!("fn {hook}({}) -> vec{values}<f32>", arguments.join(", "))
        }
    }
}
