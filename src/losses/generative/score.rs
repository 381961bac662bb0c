//! A discriminator's or critic's loss of a score: a part of its loss.

use crate::{
    loss, reference,
    spec::{Domain, Driver, Family, Game, Input, Reference, Shape, shader_file},
};

loss! {
    /// A discriminator's or critic's loss of a score.
    pub struct ScoreTerm {
        /// What it plays for.
        pub game: Game = Game::Logistic, compiled;
        /// Whether the score is of something real.
        pub real: bool = false;
    }

    pub static SCORE_TERM: LossSpec = {
        name: "score_term",
        family: Family::Generative,
        formula: "",
        notes: "",
        source: "",
        driver: Driver::Elementwise,
        inputs: &[Input::differentiable("score", Shape::Items, Domain::Real)],
        shader: shader_file!("losses/generative/score_term.wgsl"),
        reference: Reference::Elementwise(reference::score_term),
    };
}
