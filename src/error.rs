//! The one error type.

use crate::{
    CustomFault, DType, NumberType, Offender, Reduction, TensorType, losses, out_of_range, spec::Rule, suggest,
};

/// Everything that can go wrong, with fields that say what and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No loss has this name.
    #[error("no loss is called `{found}`; {}", meant_loss(found))]
    UnknownLoss {
        /// The name asked for.
        found: String,
        /// The losses there are.
        known: Vec<&'static str>,
    },
    /// The loss has no parameter of this name.
    #[error(
        "{loss}: no parameter is called `{parameter}`; it has {}{}",
        listed(known),
        suggest::hint(parameter, known)
    )]
    UnknownParameter {
        /// The loss.
        loss: &'static str,
        /// The name given.
        parameter: String,
        /// The parameters the loss has.
        known: Vec<&'static str>,
    },
    /// A parameter's value breaks its rule.
    #[error("{loss}: parameter `{parameter}` must be {rule}, found {found}")]
    Parameter {
        /// The loss or operation.
        loss: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// The values it may have.
        rule: Rule,
        /// The value given.
        found: String,
    },
    /// A parameter is set twice.
    #[error("{loss}: parameter `{parameter}` is set twice")]
    RepeatedParameter {
        /// The loss.
        loss: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// A list of parameter values has the wrong length.
    #[error("{loss}: expected {expected} parameter values, found {found}")]
    ParameterCount {
        /// The loss.
        loss: &'static str,
        /// How many parameters the loss has.
        expected: usize,
        /// How many values were given.
        found: usize,
    },
    /// An option (upstream gradient, accumulation weight) is not a finite number.
    #[error("{loss}: option `{option}` must be a finite number, found {found}")]
    Option {
        /// The loss.
        loss: &'static str,
        /// The option.
        option: &'static str,
        /// The value given.
        found: f32,
    },
    /// The adapter cannot run kernels laid out like this.
    #[error("tuning: `{field}` must be {rule}, found {found}")]
    Tuning {
        /// The field of [`Tuning`](crate::Tuning).
        field: &'static str,
        /// The values it may have.
        rule: String,
        /// The value given.
        found: String,
    },
    /// No reduction has this name.
    #[error(
        "no reduction is called `{found}`; there are {}{}",
        listed(&Reduction::ALL.map(Reduction::name)),
        suggest::hint(found, Reduction::ALL.map(Reduction::name))
    )]
    UnknownReduction {
        /// The name given.
        found: String,
    },
    /// The entry of a loss defined outside the crate lacks something that its driver reads.
    #[error("{loss}: its `LossSpec` breaks a rule of its driver: {rule}")]
    Spec {
        /// The loss.
        loss: &'static str,
        /// The rule that it breaks.
        rule: String,
    },
    /// A loss that is made while the program runs cannot be made like this.
    #[error("{loss}: {fault}")]
    Custom {
        /// The loss's name.
        loss: String,
        /// What is wrong with it.
        fault: Box<CustomFault>,
    },
    /// The loss has no reference to evaluate or to compare with.
    #[error("{loss}: it has no reference in f64 to evaluate or to compare with, only a kernel")]
    NoReference {
        /// The loss.
        loss: &'static str,
    },
    /// A required input or output was not given.
    #[error("{loss}: `{tensor}` is missing")]
    MissingTensor {
        /// The loss or operation.
        loss: &'static str,
        /// The input or output.
        tensor: String,
    },
    /// An input or output was given that the loss does not have, or the same one twice.
    #[error("{loss}: unexpected `{tensor}`; it takes {}{}", listed(known), suggest::hint(tensor, known))]
    UnexpectedTensor {
        /// The loss or operation.
        loss: &'static str,
        /// The name given.
        tensor: String,
        /// The tensors that the loss takes.
        known: Vec<String>,
    },
    /// A tensor has the wrong shape.
    #[error("{loss}: `{tensor}` must have shape {expected}, found {found:?}")]
    Shape {
        /// The loss.
        loss: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// The shape that the tensor must have.
        expected: String,
        /// The tensor's shape.
        found: Vec<usize>,
    },
    /// An operation cannot take a tensor as it is.
    #[error("{operation}: `{tensor}` must {rule}, found {found}")]
    Operand {
        /// The operation.
        operation: &'static str,
        /// The tensor.
        tensor: String,
        /// What the operation asks of it.
        rule: String,
        /// The tensor's type.
        found: String,
    },
    /// An operation was given no tensors.
    #[error("{operation}: no tensors were given")]
    NoTensors {
        /// The operation.
        operation: &'static str,
    },
    /// A tensor has a row stride that it cannot have.
    #[error(
        "{loss}: `{tensor}` cannot have a row stride of {found}: only [N, C] of row losses can, of at least {least}"
    )]
    RowStride {
        /// The loss.
        loss: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// The tensor's row stride.
        found: usize,
        /// The length of a row.
        least: usize,
    },
    /// A tensor has too many elements to count, gaps between rows included and axes of length 0 taken for 1.
    #[error("{loss}: `{tensor}` of {shape:?} has over {} elements, empty axes counted as 1", TensorType::MOST_ELEMENTS)]
    Elements {
        /// The loss.
        loss: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// The tensor's shape.
        shape: Vec<usize>,
    },
    /// Values were written to a tensor whose rows have gaps between them.
    #[error("shape {shape:?} with a row stride of {row_stride} has gaps: write to the tensor that it is a part of")]
    Strided {
        /// The tensor's shape.
        shape: Vec<usize>,
        /// The tensor's row stride.
        row_stride: usize,
    },
    /// The number of elements given does not fill the shape given.
    #[error("shape {shape:?} holds {expected} elements, found {found}")]
    Length {
        /// The shape.
        shape: Vec<usize>,
        /// The elements that the shape holds.
        expected: usize,
        /// The elements given.
        found: usize,
    },
    /// A tensor has the wrong storage type.
    #[error("{tensor} must be {expected}, found {found}")]
    DType {
        /// The loss and tensor, or what was done with it.
        tensor: String,
        /// The types that the tensor may have.
        expected: String,
        /// The type that the tensor has.
        found: DType,
    },
    /// The numbers of a tensor are of a type that the loss cannot take for this input.
    #[error("{loss}: `{tensor}` must be {expected}, found {found}")]
    NumberType {
        /// The loss.
        loss: &'static str,
        /// The input.
        tensor: &'static str,
        /// The types that it may have.
        expected: &'static str,
        /// The type of the numbers.
        found: NumberType,
    },
    /// A whole number is beyond what an i32 holds.
    #[error("{loss}: `{tensor}` must hold numbers from {} to {}, found {value} at {index:?}", i32::MIN, i32::MAX)]
    NumberRange {
        /// The loss.
        loss: &'static str,
        /// The input.
        tensor: &'static str,
        /// The number's place on each axis.
        index: Vec<usize>,
        /// The number.
        value: String,
    },
    /// Targets that the loss does not allow. Their items contributed nothing.
    #[error("{loss}: {}", out_of_range::text(*count, *first, index, rule, offender.as_deref()))]
    Target {
        /// The loss.
        loss: &'static str,
        /// How many items. Of losses of regions, how many elements: classes of pixels, or whole pixels whose index
        /// names no class.
        count: u64,
        /// The index of the first item out of range, counted over the flattened items: of regions, over the pixels `[N,
        /// d…]`.
        first: u64,
        /// The place of that item on each axis of the items.
        index: Box<[usize]>,
        /// The values that the input with the offender may have; without one, those of all checked inputs of the call.
        rule: String,
        /// The first value of that item that is out of range; `None` where only the device has the inputs.
        offender: Option<Box<Offender>>,
    },
    /// What a sum is to be divided by, the option or the input `divisor` or the product of both, is no such number.
    #[error("{loss}: `divisor` must be a finite number above 0, and not below 1.2e-38, found {found}")]
    Divisor {
        /// The loss.
        loss: &'static str,
        /// The value given.
        found: f32,
    },
    /// A reduction that is no sum cannot be divided once more.
    #[error("{loss}: a `divisor` divides a sum and needs the reduction `sum`, found `{reduction}`")]
    DivisorReduction {
        /// The loss.
        loss: &'static str,
        /// The reduction asked for.
        reduction: Reduction,
    },
    /// The reduction does not exist for what it is asked of.
    #[error("{loss}: an `upstream` per item needs the reduction `none`, found `{reduction}`")]
    UpstreamReduction {
        /// The loss.
        loss: &'static str,
        /// The reduction asked for.
        reduction: Reduction,
    },
    /// The loss has one value per class, which only the reduction `none` gives.
    #[error("{loss}: its values are per class and need the reduction `none`, found `{reduction}`")]
    PerClassReduction {
        /// The loss.
        loss: &'static str,
        /// The reduction asked for.
        reduction: Reduction,
    },
    /// The loss is a sum of terms whose items differ: one has no list of both, and no weights.
    #[error(
        "{loss}: its terms have different items, so the reduction `{reduction}` does not exist; it has {}",
        known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ")
    )]
    TermsReduction {
        /// The loss.
        loss: &'static str,
        /// The reduction asked for.
        reduction: Reduction,
        /// Those that the loss has.
        known: &'static [Reduction],
    },
    /// The loss has pairs or triplets as items, too many to give each one's loss.
    #[error("{loss}: it keeps no list of its items, so the reduction `none` does not exist")]
    ItemsReduction {
        /// The loss.
        loss: &'static str,
    },
    /// A plan was made of no tasks.
    #[error("{loss}: there are no tasks to weigh, which takes at least one")]
    NoTasks {
        /// The weighting.
        loss: &'static str,
    },
    /// A task of a joint plan has a loss for each item.
    #[error("{loss}: a task has one loss, so the reduction `none` cannot be weighed")]
    TaskReduction {
        /// The loss of the task.
        loss: &'static str,
    },
    /// The weights of tasks are not what they were without losses.
    #[error("{loss}: the weights that it gives depend on the losses, so it cannot weigh tasks")]
    Weighting {
        /// The weighting.
        loss: &'static str,
    },
    /// Tasks of a joint plan with what is wrong with each.
    #[error("{loss}: {}", of_tasks(faults))]
    Tasks {
        /// The weighting.
        loss: &'static str,
        /// The tasks by name, and their errors: values out of range among them, also those that the weighting has for
        /// the task.
        faults: Vec<(String, Error)>,
    },
    /// A statistic was asked for that the loss does not have.
    #[error("{loss}: it has no `{statistic}` of its items")]
    Statistic {
        /// The loss.
        loss: &'static str,
        /// The statistic.
        statistic: &'static str,
    },
    /// An input was to be left without a gradient that cannot be.
    #[error("{loss}: `{input}` cannot be frozen; those that can be: {}", listed(known))]
    Frozen {
        /// The loss.
        loss: &'static str,
        /// The input.
        input: &'static str,
        /// The inputs that can be; none of most losses.
        known: Vec<&'static str>,
    },
    /// A caller's buffer ends before the tensor bound to it does.
    #[error("{loss}: the buffer for `{tensor}` needs {needed} bytes from offset {offset}, it has {available}")]
    BufferTooSmall {
        /// The loss or operation.
        loss: &'static str,
        /// The tensor.
        tensor: String,
        /// The tensor's start, in bytes.
        offset: u64,
        /// Bytes that the tensor needs from its start.
        needed: u64,
        /// Bytes that the buffer has from there.
        available: u64,
    },
    /// A caller's buffer lacks a usage flag.
    #[error("{loss}: the buffer for `{tensor}` needs the usage {needed:?}, it has {found:?}")]
    BufferUsage {
        /// The loss or operation.
        loss: &'static str,
        /// The tensor.
        tensor: String,
        /// The flags that the buffer needs.
        needed: wgpu::BufferUsages,
        /// The flags that the buffer has.
        found: wgpu::BufferUsages,
    },
    /// An offset into a caller's buffer is not aligned as the adapter asks.
    #[error("{loss}: the offset of `{tensor}`, {offset}, must be a multiple of {alignment}")]
    BufferAlignment {
        /// The loss or operation.
        loss: &'static str,
        /// The tensor.
        tensor: String,
        /// The offset given.
        offset: u64,
        /// The number that offsets must be multiples of.
        alignment: u64,
    },
    /// An output overlaps another tensor in the same buffer.
    #[error("{loss}: `{output}` overlaps `{other}` in the same buffer")]
    BufferOverlap {
        /// The loss or operation.
        loss: &'static str,
        /// The output.
        output: String,
        /// The tensor that the output overlaps.
        other: String,
    },
    /// A tensor belongs to another device than the one it is used on.
    #[error("{loss}: `{tensor}` is on another device")]
    OtherDevice {
        /// The loss or operation.
        loss: &'static str,
        /// The tensor.
        tensor: String,
    },
    /// A call needs more than the adapter allows and cannot be split.
    #[error("{what} needs {needed}{}, but {limit} is {available} on {adapter}{}", unit_of(limit), advised(advice))]
    Limit {
        /// The call, or the part of it that needs too much.
        what: String,
        /// The limit, as wgpu names it.
        limit: &'static str,
        /// How much would be needed.
        needed: u64,
        /// How much there is.
        available: u64,
        /// The adapter.
        adapter: String,
        /// What to do, if that is known.
        advice: Option<Box<str>>,
    },
    /// No adapter matches.
    #[error("no adapter {}; there are {}{}", wanted(asked), listed(found), meant_adapter(asked, found))]
    NoAdapter {
        /// The selector asked for; empty: any adapter.
        asked: String,
        /// The adapters there are, as `backend:name`.
        found: Vec<String>,
    },
    /// The adapter gave no device.
    #[error("{adapter}: no device: {reason}")]
    NoDevice {
        /// The adapter.
        adapter: String,
        /// The driver's words.
        reason: String,
    },
    /// The device has no memory left for what was asked.
    #[error("out of device memory: {what}")]
    OutOfMemory {
        /// The use that the memory was for.
        what: String,
    },
    /// The device was lost or destroyed: what it holds is gone, make a new [`Gpu`](crate::Gpu).
    #[error("the device was lost: {reason}")]
    DeviceLost {
        /// The driver's words.
        reason: String,
    },
    /// A kernel did not compile. Where the loss is one of wgloss's own that is an error in wgloss: please report it.
    #[error("{loss}: the shader did not compile ({}): {location}: {message}", at_fault(*built_in))]
    Shader {
        /// The loss or operation.
        loss: &'static str,
        /// Whether all of the shader is wgloss's; otherwise the loss's hooks are the caller's own.
        built_in: bool,
        /// File, line and column: of a caller's own loss, where its hooks do not fit what calls them, also a file of
        /// wgloss's.
        location: String,
        /// The compiler's words.
        message: String,
    },
    /// The device refused an operation: a buffer of another device, a destroyed one, or an error in wgloss.
    #[error("{what}: the device refused it: {message}")]
    Refused {
        /// The operation.
        what: String,
        /// The words of wgpu.
        message: String,
    },
}

fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let all = names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ");
    if all.is_empty() { "none".to_string() } else { all }
}

/// The advice on a loss that does not exist.
fn meant_loss(found: &str) -> String {
    match losses::meant(found) {
        Some(meant) => format!("did you mean `{}`?", meant.name),
        None => "`wgloss list` shows those there are".to_string(),
    }
}

fn meant_adapter(asked: &str, found: &[String]) -> String {
    suggest::hint(asked, found.iter().flat_map(|id| suggest::selectors(id)))
}

/// What a limit counts in, behind a number of it.
fn unit_of(limit: &str) -> &'static str {
    if limit.contains("buffer_binding_size") || limit == "max_buffer_size" { " bytes" } else { "" }
}

fn advised(advice: &Option<Box<str>>) -> String {
    advice.as_ref().map_or_else(String::new, |advice| format!(": {advice}"))
}

fn wanted(asked: &str) -> String {
    if asked.is_empty() { "was found".to_string() } else { format!("matches `{asked}`") }
}

fn of_tasks(faults: &[(String, Error)]) -> String {
    faults.iter().map(|(task, error)| format!("task `{task}`: {error}")).collect::<Vec<_>>().join("; ")
}

fn at_fault(built_in: bool) -> &'static str {
    if built_in { "an error in wgloss, please report it" } else { "an error in the loss's own hooks" }
}
