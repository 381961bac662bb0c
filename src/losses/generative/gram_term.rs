//! The style loss at one layer.

use super::NO_HOOK;
use crate::{
    loss,
    spec::{Domain, Driver, Family, Input, Reference, Shape},
};

loss! {
    /// What the Gram matrices of features and target differ in, squared.
    pub struct GramTerm;

    pub static GRAM_TERM: LossSpec = {
        name: "gram_term",
        family: Family::Generative,
        formula: "",
        notes: "",
        source: "",
        driver: Driver::Gram,
        inputs: &[
            Input::differentiable("features", Shape::Own, Domain::Real),
            Input::constant("target_features", Shape::Like("features"), Domain::Real),
        ],
        shader: NO_HOOK,
        reference: Reference::Gram,
    };
}
