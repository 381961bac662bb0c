//! The drivers: what losses share but for their hooks. Each is a room of its own, a file or folder here and one in
//! `shaders/drivers/`, which holds all that knows it; the rest of the crate asks a [`Room`].

mod all_pairs;
mod boxes;
mod broadcast;
mod divisor;
mod elementwise;
mod finalize;
mod fold;
mod gram;
mod inner;
mod items;
mod judge;
pub(crate) mod layers;
mod linear;
mod needs;
mod pairs;
pub(crate) mod parts;
mod regions;
mod rows;
mod sequences;
mod signature;
pub(crate) mod sum;
#[cfg(all(test, feature = "parity"))]
mod tests;
mod tile;
mod top_k;
#[cfg(feature = "parity")]
mod trials;

use needs::Need;
pub(crate) use needs::check as check_spec;
pub(crate) use signature::Extent;
pub use signature::Signature;
#[cfg(feature = "parity")]
pub(crate) use trials::{Arrangement, TrialShape, Trials};

use crate::{
    DType, Error, Gradients, Named, Options, Reduction, TensorType,
    extra::Extra,
    gpu::Machine,
    kernel::{Access, Glue, TensorView},
    program::{Program, chunk::Operand, workspace::WorkspaceHeader},
    spec::{DIVISOR, Driver, Input, LossSpec, MASK, OwnStatistic, UPSTREAM, Values},
};

/// What the rest of the crate asks of a driver.
pub(crate) trait Room {
    /// What a first input of this shape amounts to; or which shapes the driver takes.
    fn extent(&self, values: &Values, shape: &[usize]) -> Result<Extent, String>;

    /// The shapes, in symbols, of an input with one value per item, and of one with one value or one per result.
    fn symbols(&self) -> [&'static str; 2];

    /// What it reads of a loss by name, besides what all losses have.
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    /// Whether inputs with one value per item may be smaller: a value then serves several items.
    fn broadcasts(&self) -> bool {
        false
    }

    /// How many items there are, where another input than the first says so.
    fn items_of(&self, _given: &Named<TensorType>) -> Option<usize> {
        None
    }

    /// Whether rows of a matrix may have gaps between them.
    fn takes_row_strides(&self) -> bool {
        false
    }

    /// Whether each row may have weights of its own for the classes.
    fn takes_weights_by_row(&self) -> bool {
        false
    }

    /// What a loss can give of each item besides its loss.
    fn statistics(&self, _spec: &LossSpec) -> Vec<Statistic> {
        Vec::new()
    }

    /// Whether inputs may be left without a gradient that others get.
    fn freezes(&self) -> bool {
        false
    }

    /// Why a loss has not this reduction, if so.
    fn refuses(&self, _loss: &'static str, _reduction: Reduction) -> Option<Error> {
        None
    }

    /// The shapes that parity tries losses with: each arrangement has a kernel of its own.
    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement>;

    /// The steps of a call.
    fn program(&self, call: &Call<'_>) -> Result<Program, Error>;

    /// What a run tells besides loss and items.
    fn extras(&self, _call: &Call<'_>, _found: &WorkspaceHeader) -> Vec<Extra> {
        Vec::new()
    }
}

/// Something that a loss can give of each item besides its loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Statistic {
    /// The field of [`Statistics`](crate::Statistics) that asks for it.
    pub name: &'static str,
    /// The tensors that hold it, a value an item.
    pub tensors: &'static [(&'static str, DType)],
}

/// Those that a loss has by hooks of its own.
fn own_statistics(spec: &LossSpec) -> impl Iterator<Item = Statistic> {
    let of_own =
        |own: &'static OwnStatistic| Statistic { name: own.name(), tensors: std::slice::from_ref(&own.tensor) };
    spec.shader.statistics().iter().map(of_own)
}

/// Whether a loss has what is asked of it.
fn check(spec: &LossSpec, options: &Options) -> Result<(), Error> {
    let room = room(&spec.driver);
    let known = room.statistics(spec);
    let is_unknown = |name: &&str| known.iter().all(|statistic| statistic.name != *name);
    if let Some(statistic) = options.statistics.asked().find(is_unknown) {
        return Err(Error::Statistic { loss: spec.name, statistic });
    }
    let may_freeze = |name: &str| room.freezes() && spec.differentiable().any(|input| input.name == name);
    if let Some(input) = options.frozen.iter().find(|name| !may_freeze(name)) {
        let known = spec.differentiable().filter(|_| room.freezes()).map(|input| input.name).collect();
        return Err(Error::Frozen { loss: spec.name, input, known });
    }
    room.refuses(spec.name, options.reduction).map_or(Ok(()), Err)
}

impl LossSpec {
    /// The reductions that the loss has.
    ///
    /// ```
    /// use wgloss::{Reduction, losses::{SOFTMAX, VAE}};
    /// assert_eq!(SOFTMAX.reductions().collect::<Vec<_>>(), [Reduction::None]);
    /// assert_eq!(VAE.reductions().collect::<Vec<_>>(), [Reduction::Sum, Reduction::BatchMean]);
    /// ```
    pub fn reductions(&self) -> impl Iterator<Item = Reduction> + use<> {
        let (name, driver) = (self.name, self.driver);
        Reduction::ALL.into_iter().filter(move |&reduction| room(&driver).refuses(name, reduction).is_none())
    }
}

/// The room of a driver: the one place that knows which there are.
pub(crate) fn room(driver: &Driver) -> &dyn Room {
    match driver {
        Driver::Elementwise => &elementwise::Elementwise,
        Driver::Rows(rows) => rows,
        Driver::Regions(regions) => regions,
        Driver::Boxes => &boxes::Boxes,
        Driver::Pairs => &pairs::Pairs,
        Driver::AllPairs(all_pairs) => all_pairs,
        Driver::Sum(sum) => sum,
        Driver::Layers(layers) => layers,
        Driver::Gram => &gram::Gram,
        Driver::Linear(linear) => linear,
        Driver::Sequences(sequences) => sequences,
        Driver::TopK(top_k) => top_k,
    }
}

/// The steps of a call. There are none for a tensor that no buffer holds, which would be cut into parts without end.
pub(crate) fn program(call: &Call<'_>) -> Result<Program, Error> {
    let available = call.machine.limits.max_buffer_size;
    for tensor in call.tensors() {
        let what = format!("{}: `{}`", call.loss(), tensor.name);
        call.machine.expect(&what, "max_buffer_size", tensor.ty.buffer_size(), available)?;
    }
    let mut program = room(&call.spec().driver).program(call)?;
    program.steps.splice(0..0, divisor::bring(call));
    Ok(program)
}

/// What a run tells besides loss and items.
pub(crate) fn extras(call: &Call<'_>, found: &WorkspaceHeader) -> Vec<Extra> {
    let mut extras = room(&call.spec().driver).extras(call, found);
    extras.extend(call.sums_weights().then_some(Extra::WeightSum(found.divisor)));
    extras
}

/// A checked call: what a program is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub machine: &'a Machine,
    pub values: &'a Values,
    pub signature: &'a Signature,
    pub options: &'a Options,
    /// Whether every tensor may be taken four elements at once: whether its buffer goes on to the end of the last four.
    pub roomy: bool,
    /// Of rows that are made while the program runs, how many of them are in memory at a time.
    pub panels: Option<Panels>,
}

/// Rows that are made while a program runs, some at a time, each time in the same memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panels {
    /// How many at a time, at most.
    pub rows: u64,
    /// The inputs that they are.
    pub inputs: &'static [&'static str],
}

/// An input or output of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CallTensor {
    pub name: String,
    pub ty: TensorType,
    pub role: Role,
}

/// What a tensor of a call is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    Input(&'static Input),
    /// Read, then overwritten by its gradient.
    Overwritten(&'static Input),
    /// The gradient of an input.
    Gradient(&'static Input),
    /// What the sum is divided by, which the first step alone reads.
    Divisor,
    Loss,
    Statistic,
}

impl Role {
    /// Whether it is written.
    pub fn is_output(self) -> bool {
        !matches!(self, Role::Input(_) | Role::Divisor)
    }

    /// The input that it is or is the gradient of.
    pub fn input(self) -> Option<&'static Input> {
        match self {
            Role::Input(input) | Role::Overwritten(input) | Role::Gradient(input) => Some(input),
            Role::Divisor | Role::Loss | Role::Statistic => None,
        }
    }
}

impl<'a> Call<'a> {
    pub fn spec(&self) -> &'static LossSpec {
        self.values.spec()
    }

    /// What messages call the loss.
    pub fn loss(&self) -> &'static str {
        self.spec().name
    }

    /// The inputs given and the outputs, in the order in which kernels bind them.
    pub fn tensors(&self) -> Vec<CallTensor> {
        let Call { signature, options, .. } = self;
        let mut tensors = Vec::new();
        let mut add = |name: String, ty: &TensorType, role| tensors.push(CallTensor { name, ty: ty.clone(), role });
        for (input, ty) in &signature.inputs {
            let is_overwritten = options.gradients == Gradients::InPlace && input.differentiable;
            let role = match is_overwritten {
                _ if input.name == DIVISOR.name => Role::Divisor,
                true => Role::Overwritten(input),
                false => Role::Input(input),
            };
            add(input.name.to_string(), ty, role);
            if input.differentiable && self.has_gradient_tensors() {
                add(gradient_name(input.name), ty, Role::Gradient(input));
            }
        }
        add("loss".to_string(), &signature.loss_type(options.reduction), Role::Loss);
        let known = room(&self.spec().driver).statistics(self.spec());
        let asked = options.statistics.asked().flat_map(|name| known.iter().filter(move |known| known.name == name));
        for &(name, dtype) in asked.flat_map(|statistic| statistic.tensors) {
            add(name.to_string(), &TensorType::new(dtype, signature.item_shape.clone()), Role::Statistic);
        }
        tensors
    }

    /// The statistics asked for that the loss has by hooks of its own.
    pub fn own_statistics(&self) -> impl Iterator<Item = &'static OwnStatistic> {
        let asked = self.options.statistics;
        self.spec().shader.statistics().iter().filter(move |own| asked.asked().any(|name| name == own.name()))
    }

    /// The storage type of an input, if it is given.
    pub fn dtype(&self, name: &str) -> Option<DType> {
        self.signature.input(name).map(|ty| ty.dtype)
    }

    /// The storage type of the first input.
    pub fn first_dtype(&self) -> DType {
        self.dtype(self.spec().inputs[0].name).unwrap_or(DType::F32)
    }

    /// Whether an input is given and gets a gradient.
    pub fn trains(&self, name: &str) -> bool {
        self.has_gradients() && self.signature.differentiable().any(|(input, _)| input.name == name)
    }

    /// Whether gradients are computed.
    pub fn has_gradients(&self) -> bool {
        self.options.gradients != Gradients::Skip
    }

    fn has_gradient_tensors(&self) -> bool {
        matches!(self.options.gradients, Gradients::Write | Gradients::Add { .. })
    }

    /// Whether gradients are added to what is there.
    pub fn adds(&self) -> bool {
        matches!(self.options.gradients, Gradients::Add { .. })
    }

    /// Whether gradients take the place of their inputs.
    pub fn is_in_place(&self) -> bool {
        self.options.gradients == Gradients::InPlace
    }

    /// Whether the result is divided by a sum of the items' weights.
    pub fn sums_weights(&self) -> bool {
        self.options.reduction == Reduction::WeightedMean && self.dtype(self.spec().item_weight()).is_some()
    }

    /// Whether each item's loss is stored.
    pub fn is_per_item(&self) -> bool {
        self.options.reduction == Reduction::None
    }

    /// Whether there is nothing to store: no items that would each have a loss.
    pub fn is_empty(&self) -> bool {
        self.is_per_item() && self.signature.results() == 0
    }

    /// 0 where one upstream value is for all items, 1 where each has its own.
    pub fn upstream_stride(&self) -> u32 {
        let is_one = self.signature.input(UPSTREAM.name).is_none_or(|ty| ty.elements() == 1);
        u32::from(!is_one)
    }

    /// What gradients are multiplied with where a reduction divides by a known number: 0 where nothing counts.
    pub fn gradient_scale(&self, divisor: f64) -> f64 {
        if divisor == 0.0 { 0.0 } else { self.options.gradient_scale() / divisor }
    }
}

/// The output that holds the gradient of an input.
pub(crate) fn gradient_name(input: &str) -> String {
    format!("grad.{input}")
}

/// Something that a kernel binds: how the kernel sees it, and what it is.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub view: TensorView,
    pub at: At,
}

/// What a binding is.
#[derive(Clone, Debug)]
pub(crate) enum At {
    /// An input or output of the call.
    Operand(Operand),
    /// A whole scratch.
    Scratch(usize),
    /// The part of a scratch that belongs to a chunk's items.
    Records(usize),
}

/// How a kernel sees a tensor of the call, of which it takes four elements at once or one: by what name, to read or to
/// write. Statistics and losses are of items.
fn view_of(tensor: &CallTensor, quads: bool) -> TensorView {
    let (name, access) = match tensor.role {
        Role::Input(input) => (format!("input_{}", input.name), Access::Read),
        Role::Divisor => (format!("input_{}", DIVISOR.name), Access::Read),
        Role::Overwritten(input) | Role::Gradient(input) => (format!("grad_{}", input.name), Access::Write),
        Role::Loss => ("loss_of_item".to_string(), Access::Write),
        Role::Statistic => (format!("{}_of_item", tensor.name), Access::Write),
    };
    let view = TensorView::read(name, tensor.ty.dtype);
    view.with_access(access).in_quads(quads)
}

/// The views of what is bound.
fn views_of(bindings: &[Binding]) -> Vec<TensorView> {
    bindings.iter().map(|binding| binding.view.clone()).collect()
}

/// The view of that name.
fn view<'a>(views: &'a [TensorView], name: &str) -> Option<&'a TensorView> {
    views.iter().find(|view| view.name == name)
}

/// The view of an input, which its gradient may be about to overwrite.
fn input_view<'a>(views: &'a [TensorView], input: &str) -> Option<&'a TensorView> {
    let is_input = |view: &&TensorView| view.name.strip_prefix("input_") == Some(input);
    views.iter().find(is_input).or_else(|| gradient_view(views, input))
}

/// The view of an input's gradient.
fn gradient_view<'a>(views: &'a [TensorView], input: &str) -> Option<&'a TensorView> {
    views.iter().find(|view| view.name.strip_prefix("grad_") == Some(input))
}

/// `load_weight`, `load_upstream` and others of the same kind: one value of an optional input, where `index` is in
/// it, or what counts where it is left out.
fn load_optional(glue: &mut Glue, views: &[TensorView], input: &Input, index: &str) {
    let upstream = format!("({index} * call.upstream_stride)");
    let index = if input.name == UPSTREAM.name { &upstream } else { index };
    glue.load(input.name, "f32", input_view(views, input.name), index, &format!("{:?}", input.absent));
}

/// `is_kept(index)`: whether an item is not left out by the mask, where `index` is in that.
fn is_kept(glue: &mut Glue, views: &[TensorView], index: &str) {
    let mask = input_view(views, MASK.name);
    let kept = mask.map(|mask| match mask.dtype() {
        Some(DType::I32) => format!("{} != 0", mask.element(index)),
        // Told by bits: of a comparison compilers may assume that it sees no NaN.
        _ => format!("(bitcast<u32>({}) << 1u) != 0u", mask.element(index)),
    });
    glue.function("is_kept(index: u32) -> bool", kept.as_deref().unwrap_or("true"));
}

/// `is_ignored(label)`: whether a class index says that its item is left out.
fn is_ignored(glue: &mut Glue, spec: &LossSpec) {
    let ignores = spec.params.iter().any(|param| param.name == "ignore_index");
    let ignored = if ignores { "label == params.ignore_index" } else { "false" };
    glue.function("is_ignored(label: i32) -> bool", ignored);
}
