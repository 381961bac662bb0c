//! What a student leaves to the classes of which a teacher says nothing.

use super::multiclass::LOGITS;
use crate::{
    loss,
    spec::{CLASSES_LEFT_OUT, Domain, Driver, Family, Input, Reference, RowHooks, Rows, Rule, Shape, shader_file},
};

/// What logits of a row are measured from.
pub(crate) const ORIGIN: Input = Input::constant("origin", Shape::Items, Domain::Real);

loss! {
    /// `T·log Σ_c exp((x_c − origin)/T)` over the classes that no bit leaves out: the logit that stands for all of them
    /// in a softmax of x/T.
    pub struct TailLogSumExp {
        /// T; above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
    }

    pub static TAIL_LOG_SUM_EXP: LossSpec = {
        name: "tail_log_sum_exp",
        family: Family::Rows,
        formula: "",
        notes: "",
        source: "",
        driver: Driver::Rows(Rows { hooks: &[RowHooks::Logits, RowHooks::OwnValues], ..Rows::SOFTMAX }),
        inputs: &[LOGITS, CLASSES_LEFT_OUT, ORIGIN],
        shader: shader_file!("losses/rows/tail_log_sum_exp.wgsl"),
        reference: Reference::None,
    };
}
