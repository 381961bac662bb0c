//! What a loss is, as plain data.
//!
//! A [`LossSpec`] states once everything that is particular to a loss. The bindings and the WGSL header, the bind-group
//! layout, the command line, the table of losses, the CPU reference and the parity test all come from it.

use std::fmt;

use crate::{
    DType, Error,
    losses::{Activation, Distance, Scope},
    reference::Reference,
};

/// The entry of a loss in the catalogue.
#[derive(Debug)]
pub struct LossSpec {
    /// The loss's name: the same word in the WGSL file, the reference, the tests and the command line.
    pub name: &'static str,
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
    /// The WGSL file with its hook functions: name below `shaders/` and text.
    pub shader: ShaderFile,
    /// The f64 reference.
    pub reference: Reference,
}

impl LossSpec {
    /// The inputs with the given name, [`UPSTREAM`] included, which every loss takes.
    pub fn input(&self, name: &str) -> Option<&'static Input> {
        self.all_inputs().find(|input| input.name == name)
    }

    /// The inputs of the loss followed by [`UPSTREAM`].
    pub fn all_inputs(&self) -> impl Iterator<Item = &'static Input> + use<> {
        self.inputs.iter().chain(std::iter::once(&UPSTREAM))
    }

    /// The inputs that have a gradient.
    pub fn differentiable(&self) -> impl Iterator<Item = &'static Input> + use<> {
        self.inputs.iter().filter(|input| input.differentiable)
    }

    /// Whether kernels may take four elements of an input, and of its gradient, at once.
    pub(crate) fn moves_quads_of(&self, input: &Input) -> bool {
        match self.driver {
            Driver::Elementwise => input.shape == Shape::Items,
            Driver::Rows(rows) => input.shape == Shape::Rows || (rows.per_class && input.shape == Shape::OneOrItems),
            Driver::Regions(_) | Driver::AllPairs(_) => false,
            Driver::Boxes => input.shape == Shape::Boxes,
            Driver::Pairs => input.shape == Shape::Embeddings,
        }
    }

    /// Whether kernels may take the losses of four items at once: those of rows and boxes are one each.
    pub(crate) fn moves_quads_of_losses(&self) -> bool {
        match self.driver {
            Driver::Elementwise => true,
            Driver::Rows(rows) => rows.per_class,
            Driver::Regions(_) | Driver::Boxes | Driver::Pairs | Driver::AllPairs(_) => false,
        }
    }

    /// How many items a lane takes at once: a quad of elements, or one row, pixel or box.
    pub(crate) fn items_at_once(&self) -> u64 {
        match self.driver {
            Driver::Elementwise => 4,
            Driver::Rows(_) | Driver::Regions(_) | Driver::Boxes | Driver::Pairs | Driver::AllPairs(_) => 1,
        }
    }

    /// The second input of rows that a row loss has besides the first.
    pub(crate) fn second_rows(&self) -> Option<&'static Input> {
        self.inputs.iter().skip(1).find(|input| input.shape == Shape::Rows)
    }

    /// What is particular to a row loss; `None` for others.
    pub fn rows(&self) -> Option<Rows> {
        match self.driver {
            Driver::Rows(rows) => Some(rows),
            _ => None,
        }
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
    /// [`Error::UnknownParameter`] for a name that the loss does not have, [`Error::Parameter`] for a value that breaks
    /// its rule.
    pub fn values(&'static self, settings: &[(&str, &str)]) -> Result<Values, Error> {
        let mut values = Values::new(self, self.params.iter().map(|param| param.default).collect())?;
        for &(name, text) in settings {
            let index =
                self.params.iter().position(|param| param.name == name).ok_or_else(|| Error::UnknownParameter {
                    loss: self.name,
                    parameter: name.to_string(),
                    known: self.params.iter().map(|param| param.name).collect(),
                })?;
            values.values[index] = self.params[index].parse(self, text)?;
        }
        Ok(values)
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
}

impl Family {
    /// Every family, in the order of the catalogue.
    pub const ALL: [Family; 8] = [
        Family::Regression,
        Family::Binary,
        Family::Multiclass,
        Family::Rows,
        Family::Pairs,
        Family::MetricLearning,
        Family::Segmentation,
        Family::Boxes,
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
        }
    }
}

/// The shared entry points (a file in `shaders/drivers/`) that a loss's hooks are joined to.
#[derive(Clone, Copy, Debug)]
pub enum Driver {
    /// One item per element; every input has the same shape.
    Elementwise,
    /// One item per row of classes.
    Rows(Rows),
    /// One item per score, of the overlap of a region with its target: of a class, a sample, both or all.
    Regions(Regions),
    /// One item per box of four corners.
    Boxes,
    /// One item per row of embeddings, of each input one.
    Pairs,
    /// Every embedding of a batch with every other.
    AllPairs(AllPairs),
}

/// What row losses differ in besides their hooks.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// The inputs whose softmax it needs: the first one, that and the second, or none.
    pub softmax_of: &'static [&'static str],
    /// What a mean divides by.
    pub mean_over: MeanOver,
    /// Whether the result is one value per class, which no reduction reduces, rather than one per row.
    pub per_class: bool,
    /// The least number of classes.
    pub least_classes: fn(&Values) -> usize,
}

impl Rows {
    /// A loss that needs the softmax of `logits`; a mean divides by the rows that count.
    pub const SOFTMAX: Self =
        Rows { softmax_of: &["logits"], mean_over: MeanOver::Rows, per_class: false, least_classes: |_| 1 };

    /// Whether kernels know the log-sum-exp of the logits.
    pub(crate) fn has_log_sum_exp(self) -> bool {
        !self.softmax_of.is_empty()
    }
}

/// What the mean of a row loss divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeanOver {
    /// The rows that count.
    Rows,
    /// The sum of the target classes' weights over the rows that count.
    ClassWeights,
}

/// What losses of regions differ in besides their hooks.
#[derive(Clone, Copy, Debug)]
pub struct Regions {
    /// The loss whose kernels of pixels it takes; its own if `None`. They know nothing of the ratio that the sums make, and
    /// that loss's parameters are the first ones of this.
    pub pixels_of: Option<&'static LossSpec>,
    /// Of a loss that is a sum of two means, one over the pixels and one over the scores of all classes after a softmax.
    /// Others have the parameters `activation` and `scope`, and the reduction asked for.
    pub terms: Option<Terms>,
}

/// The terms of a loss of regions that has a term for each pixel.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The names of the terms: of the pixels', and of the scores'.
    pub names: [&'static str; 2],
    /// The parameters that are their weights.
    pub weights: [&'static str; 2],
    /// What the mean over the pixels divides by where their targets are class indices; otherwise by their number.
    pub mean_over: MeanOver,
}

/// What losses of a whole batch differ in besides their hooks.
#[derive(Clone, Copy, Debug)]
pub struct AllPairs {
    /// Which embeddings are compared with which, and which of them belong together.
    pub relation: Relation,
    /// How an anchor's values become its loss.
    pub anchors: Anchors,
}

/// Which embeddings are compared with which, and which of them belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Every row of `embeddings` with every other; rows of the same label are positives.
    Labelled,
    /// Every row of `[z_i; z_j]`, `[2N, D]`, with every other; the positive is the row of the same number in the other
    /// half.
    Views,
    /// Every row of `query` with every row of `key`; the positive is the row of the same number.
    Paired,
    /// The same, and every row of `key` with every row of `query`.
    PairedBothWays,
}

/// How an anchor's values with all other rows become its loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Anchors {
    /// Similarities become a cross-entropy over all other rows. Items are anchors.
    Softmax,
    /// Of the distances the largest to a positive and the smallest to a negative count. Items are anchors.
    Hardest,
    /// Distances are sorted. Items are pairs or triplets, of which no list is kept.
    Sorted,
}

/// A WGSL file that is part of the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShaderFile {
    /// Its path below `shaders/`.
    pub path: &'static str,
    /// Its text.
    pub source: &'static str,
}

impl ShaderFile {
    /// Whether it defines a constant of that name.
    pub(crate) fn defines(&self, name: &str) -> bool {
        self.source.contains(&format!("const {name}:"))
    }
}

/// Includes a WGSL file by its path below `shaders/`.
macro_rules! shader_file {
    ($path:literal) => {
        $crate::spec::ShaderFile {
            path: $path,
            source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $path)),
        }
    };
}
pub(crate) use shader_file;

/// An input tensor of a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// Its name in calls, files, messages and shaders.
    pub name: &'static str,
    /// Whether the loss gives a gradient for it.
    pub differentiable: bool,
    /// Whether it may be left out.
    pub optional: bool,
    /// What it holds: floats of any storage type, or indices.
    pub kind: Kind,
    /// Which shape it must have.
    pub shape: Shape,
    /// The values it may have.
    pub domain: Domain,
    /// What it is where it may be given as indices (i32) instead.
    pub as_indices: Option<&'static Input>,
}

impl Input {
    /// A required floating input that has a gradient.
    pub const fn differentiable(name: &'static str, shape: Shape, domain: Domain) -> Self {
        Input { differentiable: true, ..Input::constant(name, shape, domain) }
    }

    /// A required floating input without a gradient.
    pub const fn constant(name: &'static str, shape: Shape, domain: Domain) -> Self {
        Input { name, differentiable: false, optional: false, kind: Kind::Float, shape, domain, as_indices: None }
    }

    /// An optional floating input without a gradient; left out, it counts as 1 everywhere.
    pub const fn optional(name: &'static str, shape: Shape) -> Self {
        Input { optional: true, ..Input::constant(name, shape, Domain::Weight) }
    }

    /// A required input of labels, which may be floats or i32.
    pub const fn label(name: &'static str, domain: Domain) -> Self {
        Input { kind: Kind::Label, ..Input::constant(name, Shape::Items, domain) }
    }

    /// A required input of class indices.
    pub const fn classes(name: &'static str, shape: Shape) -> Self {
        Input { kind: Kind::Index, ..Input::constant(name, shape, Domain::Class) }
    }

    /// The input as it is where a tensor of this type is given for it.
    pub fn given_as(&'static self, dtype: DType) -> &'static Self {
        self.as_indices.filter(|_| dtype == DType::I32).unwrap_or(self)
    }
}

/// The gradient of what comes after the loss: one value, or (with [`Reduction::None`](crate::Reduction::None)) one per
/// item. Every loss takes it; it multiplies every gradient, not the loss.
pub const UPSTREAM: Input = Input { domain: Domain::Real, ..Input::optional("upstream", Shape::OneOrItems) };

/// One weight per item: multiplies the item's loss and gradient.
pub const WEIGHT: Input = Input::optional("weight", Shape::Items);

/// One weight per class.
pub const CLASS_WEIGHT: Input =
    Input { domain: Domain::ClassWeight, ..Input::optional("class_weight", Shape::Classes) };

/// What an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Floating values: f32, f16 or bf16.
    Float,
    /// Indices: i32.
    Index,
    /// Labels: floating values or i32.
    Label,
}

/// The shape an input must have, in terms of the loss's first input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Elementwise: the shape of the first input. Rows and boxes: one each.
    Items,
    /// `[N, C]` or `[N, C, d1, …]`: a row of C classes per item.
    Rows,
    /// `[N, 4]` or `[N, d1, …, 4]`: a box per item, x1 y1 x2 y2.
    Boxes,
    /// `[N, D]`: an embedding per item.
    Embeddings,
    /// A single value.
    Scalar,
    /// `[C]`: one per class.
    Classes,
    /// `[C]`: one per position on the last axis of the first input.
    LastAxis,
    /// `[1]`, or one per item.
    OneOrItems,
}

/// The values that make sense for an input. [`Probability`](Domain::Probability), [`Sign`](Domain::Sign),
/// [`Class`](Domain::Class), [`ClassWeight`](Domain::ClassWeight), [`TargetBox`](Domain::TargetBox) and
/// [`Similar`](Domain::Similar) are checked by the kernels: an item outside contributes nothing, is counted, and reading the result is an error. The others say what
/// parity checks draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Domain {
    /// Any value.
    Real,
    /// The logarithm of a rate: any value whose exponential is finite.
    LogRate,
    /// Positive values: rates, variances.
    Positive,
    /// Non-negative counts.
    Count,
    /// In [0, 1]; checked.
    Probability,
    /// At most 0.
    LogProbability,
    /// −1 or 1; checked.
    Sign,
    /// Non-negative weights.
    Weight,
    /// A class index in 0..C, or the loss's `ignore_index`; checked.
    Class,
    /// Non-negative weights of classes; checked. One below 0 puts every row out of range, and of pixels its class.
    ClassWeight,
    /// A box with x1 ≤ x2 and y1 ≤ y2; checked.
    TargetBox,
    /// 1 where two rows are similar, 0 where they are not; checked.
    Similar,
    /// Any whole number: rows of the same one belong together.
    Label,
    /// Depends on a true-or-false parameter: its name, the domain where it is true, and where it is false.
    Where(&'static str, &'static Domain, &'static Domain),
    /// Probabilities where the parameter `activation` is `none`, then checked; otherwise any value.
    Activated,
}

impl Domain {
    /// Whether kernels check values against the domain, under some parameter values at least.
    pub fn is_checked(self) -> bool {
        match self {
            Domain::Probability
            | Domain::Sign
            | Domain::Class
            | Domain::ClassWeight
            | Domain::TargetBox
            | Domain::Similar
            | Domain::Activated => true,
            Domain::Where(_, on, off) => on.is_checked() || off.is_checked(),
            _ => false,
        }
    }

    /// The domain under these parameter values: never [`Domain::Where`] or [`Domain::Activated`].
    pub fn resolve(self, values: &Values) -> Domain {
        match self {
            Domain::Activated if values.activation() == Activation::None => Domain::Probability,
            Domain::Activated => Domain::Real,
            Domain::Where(param, on, off) => (if values.flag(param) { on } else { off }).resolve(values),
            domain => domain,
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Domain::Real => "any",
            Domain::LogRate => "logarithms of rates",
            Domain::Positive => "above 0",
            Domain::Count => "counts, 0 or above",
            Domain::Probability => "in [0, 1]",
            Domain::LogProbability => "at most 0",
            Domain::Sign => "−1 or 1",
            Domain::Weight | Domain::ClassWeight => "0 or above",
            Domain::Class => "0 to C − 1",
            Domain::Activated => "in [0, 1] with activation=none, else any",
            Domain::TargetBox => "x1 ≤ x2 and y1 ≤ y2",
            Domain::Similar => "0 or 1",
            Domain::Label => "any label",
            Domain::Where(flag, on, off) => return write!(f, "{on} with {flag}, else {off}"),
        })
    }
}

/// A parameter of a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// Its name: the field of the Rust type, the key on the command line, the member of the `Params` uniform.
    pub name: &'static str,
    /// Its default.
    pub default: Value,
    /// What it may be.
    pub rule: Rule,
    /// Whether kernels are compiled for its value, or for a number's being 0 or not: for what would cost every kernel
    /// too much.
    pub compiled: bool,
}

impl Param {
    /// A number.
    pub const fn number(name: &'static str, default: f32, rule: Rule) -> Self {
        Param { name, default: Value::Number(default), rule, compiled: false }
    }

    /// True or false.
    pub const fn flag(name: &'static str, default: bool) -> Self {
        Param { name, default: Value::Flag(default), rule: Rule::Flag, compiled: false }
    }

    /// An integer.
    pub const fn integer(name: &'static str, default: i32, rule: Rule) -> Self {
        Param { name, default: Value::Integer(default), rule, compiled: false }
    }

    /// One of several words.
    pub const fn word(name: &'static str, default: &'static str, words: &'static [&'static str]) -> Self {
        Param { name, default: Value::Word(default), rule: Rule::Word(words), compiled: false }
    }

    /// The same, with kernels of their own for its values.
    pub const fn compiled(self) -> Self {
        Param { compiled: true, ..self }
    }

    /// Its name in kernels: where WGSL keeps the word for itself, with an underscore behind it.
    pub(crate) fn member(&self) -> String {
        let is_reserved = self.name == "smooth";
        format!("{}{}", self.name, if is_reserved { "_" } else { "" })
    }

    fn parse(&self, spec: &LossSpec, text: &str) -> Result<Value, Error> {
        let parsed = match self.rule {
            Rule::Flag => text.parse().ok().map(Value::Flag),
            Rule::Integer | Rule::OneOf(_) => text.parse().ok().map(Value::Integer),
            Rule::Word(words) => words.iter().find(|word| **word == text).map(|word| Value::Word(word)),
            _ => text.parse().ok().map(Value::Number),
        };
        match parsed {
            Some(value) if self.rule.allows(value) => Ok(value),
            _ => Err(self.refused(spec, text)),
        }
    }

    /// The 32-bit word that stands for a value in the `Params` uniform.
    pub(crate) fn uniform(&self, value: Value) -> u32 {
        match (value, self.rule) {
            (Value::Number(x), _) => x.to_bits(),
            (Value::Integer(i), _) => i.cast_unsigned(),
            (Value::Flag(flag), _) => u32::from(flag),
            (Value::Word(word), Rule::Word(words)) => words.iter().take_while(|other| **other != word).count() as u32,
            (Value::Word(word), rule) => unreachable!("{word} does not keep the rule {rule}"),
        }
    }

    /// What a kernel is compiled for: the value, or for a number whether it is 0 (0) or not (1).
    pub(crate) fn compiled_value(&self, value: Value) -> u32 {
        match value {
            Value::Number(x) => u32::from(x != 0.0),
            other => self.uniform(other),
        }
    }

    fn refused(&self, spec: &LossSpec, found: impl fmt::Display) -> Error {
        Error::Parameter { loss: spec.name, parameter: self.name, rule: self.rule, found: found.to_string() }
    }
}

/// What a parameter may be. Numbers are always finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Any finite number.
    Finite,
    /// Above 0.
    Positive,
    /// 0 or above.
    NonNegative,
    /// Above 0 and below 1.
    OpenUnit,
    /// 0 or above, and below 1.
    HalfOpenUnit,
    /// `true` or `false`.
    Flag,
    /// A whole number that an i32 holds.
    Integer,
    /// One of these whole numbers.
    OneOf(&'static [i32]),
    /// One of these words.
    Word(&'static [&'static str]),
}

impl Rule {
    /// Whether the value keeps the rule.
    pub fn allows(self, value: Value) -> bool {
        match (self, value) {
            (Rule::Flag, Value::Flag(_)) | (Rule::Integer, Value::Integer(_)) => true,
            (Rule::OneOf(allowed), Value::Integer(i)) => allowed.contains(&i),
            (Rule::Word(words), Value::Word(word)) => words.contains(&word),
            (Rule::Flag | Rule::Integer | Rule::OneOf(_) | Rule::Word(_), _)
            | (_, Value::Flag(_) | Value::Integer(_) | Value::Word(_)) => false,
            (rule, Value::Number(x)) => {
                x.is_finite()
                    && match rule {
                        Rule::Positive => x > 0.0,
                        Rule::NonNegative => x >= 0.0,
                        Rule::OpenUnit => x > 0.0 && x < 1.0,
                        Rule::HalfOpenUnit => (0.0..1.0).contains(&x),
                        _ => true,
                    }
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::Finite => "a finite number",
            Rule::Positive => "a finite number above 0",
            Rule::NonNegative => "a finite number of at least 0",
            Rule::OpenUnit => "a number above 0 and below 1",
            Rule::HalfOpenUnit => "a number of at least 0 and below 1",
            Rule::Flag => "true or false",
            Rule::Integer => "a 32-bit whole number",
            Rule::OneOf(allowed) => return f.write_str(&alternatives(allowed)),
            Rule::Word(words) => return f.write_str(&alternatives(words)),
        })
    }
}

/// The items as text, `or` before the last.
fn alternatives<T: fmt::Display>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(T::to_string).collect();
    match texts.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => texts.concat(),
    }
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f32),
    /// A whole number.
    Integer(i32),
    /// True or false.
    Flag(bool),
    /// One of the words of its rule.
    Word(&'static str),
}

impl Value {
    /// The WGSL type of the value.
    pub(crate) const fn wgsl_type(self) -> &'static str {
        match self {
            Value::Number(_) => "f32",
            Value::Integer(_) => "i32",
            Value::Flag(_) | Value::Word(_) => "u32",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Below 1e-4 the plain form is a row of zeros.
            Value::Number(x) if *x != 0.0 && x.abs() < 1e-4 => write!(f, "{x:e}"),
            Value::Number(x) => write!(f, "{x}"),
            Value::Integer(i) => write!(f, "{i}"),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Word(word) => f.write_str(word),
        }
    }
}

impl From<f32> for Value {
    fn from(x: f32) -> Self {
        Value::Number(x)
    }
}

impl From<i32> for Value {
    fn from(i: i32) -> Self {
        Value::Integer(i)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Flag(flag)
    }
}

impl From<&'static str> for Value {
    fn from(word: &'static str) -> Self {
        Value::Word(word)
    }
}

/// The values of a loss's parameters, each keeping its rule.
#[derive(Clone, Debug)]
pub struct Values {
    spec: &'static LossSpec,
    values: Vec<Value>,
}

impl Values {
    /// The values, in the order of `spec.params`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a value that breaks its rule, [`Error::ParameterCount`] for too few or too many values.
    pub fn new(spec: &'static LossSpec, values: Vec<Value>) -> Result<Self, Error> {
        if values.len() != spec.params.len() {
            return Err(Error::ParameterCount { loss: spec.name, expected: spec.params.len(), found: values.len() });
        }
        for (param, &value) in spec.params.iter().zip(&values) {
            if !param.rule.allows(value) {
                return Err(param.refused(spec, value));
            }
        }
        Ok(Values { spec, values })
    }

    /// The loss whose parameters these are.
    pub fn spec(&self) -> &'static LossSpec {
        self.spec
    }

    /// Each parameter with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Param, Value)> + '_ {
        self.spec.params.iter().zip(self.values.iter().copied())
    }

    /// The number of that name, exactly as the kernel gets it.
    pub(crate) fn number(&self, name: &str) -> f64 {
        match self.value(name) {
            Value::Number(x) => f64::from(x),
            other => unreachable!("{name} is {other:?}, not a number"),
        }
    }

    /// The whole number of that name.
    pub(crate) fn integer(&self, name: &str) -> i32 {
        match self.value(name) {
            Value::Integer(i) => i,
            other => unreachable!("{name} is {other:?}, not a whole number"),
        }
    }

    /// The truth value of that name.
    pub(crate) fn flag(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Flag(flag) => flag,
            other => unreachable!("{name} is {other:?}, not true or false"),
        }
    }

    /// The word of that name.
    pub(crate) fn word(&self, name: &str) -> &'static str {
        match self.value(name) {
            Value::Word(word) => word,
            other => unreachable!("{name} is {other:?}, not a word"),
        }
    }

    /// The parameter `activation`; the softmax where there is none.
    pub(crate) fn activation(&self) -> Activation {
        let is = |activation: &Activation| self.word("activation") == activation.name();
        if !self.has("activation") {
            Activation::Softmax
        } else {
            Activation::ALL.into_iter().find(is).unwrap_or_default()
        }
    }

    /// The parameter `scope`; a score for each class where there is none.
    pub(crate) fn scope(&self) -> Scope {
        let is = |scope: &Scope| self.word("scope") == scope.name();
        if !self.has("scope") { Scope::Class } else { Scope::ALL.into_iter().find(is).unwrap_or_default() }
    }

    /// The parameter `distance`; euclidean where there is none.
    pub(crate) fn distance(&self) -> Distance {
        let is = |distance: &Distance| self.word("distance") == distance.name();
        if !self.has("distance") { Distance::Euclidean } else { Distance::ALL.into_iter().find(is).unwrap_or_default() }
    }

    /// Whether the loss has a parameter of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.spec.params.iter().any(|param| param.name == name)
    }

    /// The values that kernels are compiled for.
    pub(crate) fn compiled(&self) -> Vec<u32> {
        let compiled = self.iter().filter(|(param, _)| param.compiled);
        compiled.map(|(param, value)| param.compiled_value(value)).collect()
    }

    fn value(&self, name: &str) -> Value {
        match self.iter().find(|(param, _)| param.name == name) {
            Some((_, value)) => value,
            None => unreachable!("{} has no parameter {name}", self.spec.name),
        }
    }
}
