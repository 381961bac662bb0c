//! What a loss is, as plain data.
//!
//! A [`LossSpec`] states once everything that is particular to a loss. The bindings and the WGSL header, the bind-group
//! layout, the command line, the table of losses, the CPU reference and the parity test all come from it.

mod driver;
mod input;
mod layers;
mod param;
mod reference;
mod shader_file;
mod values;
mod word;

pub use driver::*;
pub use input::*;
pub use param::*;
pub(crate) use reference::Column;
pub use reference::{
    Anchor, AnchorTerm, Closure, Doubt, Item, Pixel, Reference, RegionReference, Score, Sums, Term, Told,
};
pub use shader_file::ShaderFile;
pub(crate) use shader_file::{OwnStatistic, shader_file};
pub use values::Values;
pub use word::*;

use crate::{Error, Reduction};

/// The entry of a loss in the catalogue.
#[derive(Clone, Debug)]
pub struct LossSpec {
    /// The loss's name: the same word in the WGSL file, the reference, the tests and the command line.
    pub name: &'static str,
    /// What other libraries call it: names that errors lead from to [`LossSpec::name`]. May be empty.
    pub aliases: &'static [&'static str],
    /// The section of the catalogue it belongs to.
    pub family: Family,
    /// The loss of one item, as a formula.
    pub formula: &'static str,
    /// Conventions that the formula does not show; may be empty.
    pub notes: &'static str,
    /// The paper, or the name it has in PyTorch.
    pub source: &'static str,
    /// The entry points it shares with other losses.
    pub driver: Driver,
    /// Its inputs, in the order in which the hook and the positional calls take them.
    pub inputs: &'static [Input],
    /// Its parameters.
    pub params: &'static [Param],
    /// The WGSL file with its hook functions.
    pub shader: ShaderFile,
    /// The f64 reference.
    pub reference: Reference,
}

impl LossSpec {
    /// The input with the given name, [`MASK`], [`UPSTREAM`] and [`DIVISOR`] included, which losses take: a mask where
    /// items are of one kind, a divisor where they have a sum. Of inputs that there are for each layer, any layer's.
    pub fn input(&self, name: &str) -> Option<&'static Input> {
        let of_any_layer = || self.inputs.iter().find_map(|input| Some(input.of_layer(input.layer_of(name)?)));
        self.all_inputs().find(|input| input.name == name).or_else(of_any_layer)
    }

    /// The inputs of the loss, with one layer, followed by [`MASK`], which losses made of others have
    /// not, [`UPSTREAM`], and [`DIVISOR`], which losses without a sum have not.
    pub fn all_inputs(&self) -> impl Iterator<Item = &'static Input> + use<> {
        let has_items = !matches!(self.driver, Driver::Sum(_) | Driver::Layers(_) | Driver::Gram);
        let has_sum = self.reductions().any(|reduction| reduction == Reduction::Sum);
        let mask = has_items.then_some(&MASK);
        self.inputs.iter().chain(mask).chain([&UPSTREAM]).chain(has_sum.then_some(&DIVISOR))
    }

    /// The name of the input that has a weight for each item, if there is one: `weight`, unless that is a head's.
    pub fn item_weight(&self) -> &'static str {
        if self.has_head() { ITEM_WEIGHT.name } else { WEIGHT.name }
    }

    /// Whether a head makes logits of hidden states.
    pub(crate) fn has_head(&self) -> bool {
        self.inputs.iter().any(|input| matches!(input.shape, Shape::Head(_)))
    }

    /// The inputs that have a gradient.
    pub fn differentiable(&self) -> impl Iterator<Item = &'static Input> + use<> {
        self.inputs.iter().filter(|input| input.differentiable)
    }

    /// The second input of rows that a row loss has besides the first.
    pub(crate) fn second_rows(&self) -> Option<&'static Input> {
        self.inputs.iter().skip(1).find(|input| input.shape == Shape::Rows)
    }

    /// The inputs of one value a row that a row loss has besides class indices and [`WEIGHT`].
    pub(crate) fn own_values(&self) -> impl Iterator<Item = &'static Input> + use<> {
        let is_own =
            |input: &&Input| input.shape == Shape::Items && input.kind != Kind::Index && input.name != WEIGHT.name;
        self.inputs.iter().filter(is_own)
    }

    /// What is particular to a row loss; `None` for others.
    pub fn rows(&self) -> Option<Rows> {
        match self.driver {
            Driver::Rows(rows) => Some(rows),
            _ => None,
        }
    }

    /// Whether an item's result is a value for each class.
    pub fn is_per_class(&self) -> bool {
        self.rows().is_some_and(|rows| rows.per_class)
    }

    /// What is particular to a loss of regions; `None` for others.
    pub fn regions(&self) -> Option<Regions> {
        match self.driver {
            Driver::Regions(regions) => Some(regions),
            _ => None,
        }
    }

    /// What is particular to a loss of a whole batch; `None` for others.
    pub fn all_pairs(&self) -> Option<AllPairs> {
        match self.driver {
            Driver::AllPairs(all_pairs) => Some(all_pairs),
            _ => None,
        }
    }

    /// The values of the parameters with `settings` in place of defaults.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`] for a name that the loss does not have, [`Error::RepeatedParameter`] for one that
    /// stands twice, [`Error::Parameter`] for a value that breaks its rule.
    pub fn values(&'static self, settings: &[(&str, &str)]) -> Result<Values, Error> {
        Values::with_settings(self, settings)
    }
}

/// The section of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Regression.
    Regression,
    /// Binary and multi-label classification.
    Binary,
    /// Multi-class classification.
    Multiclass,
    /// Functions of rows of logits.
    Rows,
    /// Pairs and given triplets of embeddings.
    Pairs,
    /// Metric learning: every embedding of a batch with every other.
    MetricLearning,
    /// Segmentation: overlap of regions.
    Segmentation,
    /// Boxes.
    Boxes,
    /// Generative models.
    Generative,
    /// The losses of several tasks as one.
    Tasks,
    /// Heads together with the loss behind them.
    Linear,
    /// Policies and preferences of language models.
    Preferences,
}

impl Family {
    /// Every family, in the order of the catalogue.
    pub const ALL: [Family; 12] = [
        Family::Regression,
        Family::Binary,
        Family::Multiclass,
        Family::Rows,
        Family::Pairs,
        Family::MetricLearning,
        Family::Segmentation,
        Family::Boxes,
        Family::Generative,
        Family::Tasks,
        Family::Linear,
        Family::Preferences,
    ];

    /// The family's heading.
    pub const fn title(self) -> &'static str {
        match self {
            Family::Regression => "Regression",
            Family::Binary => "Binary and multi-label classification",
            Family::Multiclass => "Multi-class classification",
            Family::Rows => "Functions of rows",
            Family::Pairs => "Pairs and given triplets",
            Family::MetricLearning => "Whole-batch metric learning",
            Family::Segmentation => "Segmentation",
            Family::Boxes => "Boxes",
            Family::Generative => "Generative models",
            Family::Tasks => "Several tasks",
            Family::Linear => "Linear heads with their loss",
            Family::Preferences => "Policies and preferences",
        }
    }
}
