// What kernels of rows are given, as it is with everything given, in f32: a second input of rows and class indices too,
// of which no loss has both. Kernels get their own in place of this file; a test holds both together.
//
// The loss's parameters are `params`. Rows and elements are by their index in the chunk. A quad is four elements side
// by side as they lie in memory.

struct Call {
    // Rows of the chunk.
    length: u32,
    // Rows of a workgroup; where several workgroups take a row, of so many workgroups as there are parts.
    span: u32,
    // The place of the chunk's first partial.
    first_partial: u32,
    // What gradients are multiplied with besides weight and upstream; to be divided by a measured divisor yet.
    scale: f32,
    // 0 where the divisor is known, and the divisor then; else `workspace.divisor` holds it: 1 for the items that
    // count, WEIGHTED for the sum of their weights, GIVEN for the caller's.
    measured: u32,
    divisor: f32,
    // From one row's upstream to the next, or from one class's: 0 where all share one.
    upstream_stride: u32,
    // Rows of a workgroup that leaves a partial.
    tally_span: u32,
    // Workgroups that share a row, and the columns of one of them.
    parts: u32,
    part_columns: u32,
    // Classes of a row.
    classes: u32,
    // Elements from one class to the next.
    class_stride: u32,
    // Elements from one row (with axes after the classes, one sample) to the next: in the first and in the second
    // input.
    row_stride: u32,
    second_stride: u32,
    // Where the chunk begins in its bindings, which begin where that is aligned: its first row in those of one value a
    // row, and its first element in the first and in the second input and among the values of all classes.
    item_base: u32,
    row_base: u32,
    second_base: u32,
    value_base: u32,
    // Of rows of which classes are left out: the words of a bit for each class of one, and the chunk's first word.
    left_out_words: u32,
    left_out_base: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

// Whether the softmax of the first input is needed, and that of the second.
const SOFTMAX: bool = true;
const SECOND_SOFTMAX: bool = true;
// Whether the first input is of logarithms of probabilities, which are checked.
const LOG_PROBABILITIES: bool = false;
// Whether there is a second input of rows, and whether its values are checked to be probabilities.
const HAS_SECOND: bool = true;
const SECOND_IS_PROBABILITY: bool = false;
// Whether each row has a class index.
const HAS_TARGET: bool = true;
// Whether the result is a value for each class.
const PER_CLASS: bool = false;
// Whether a class may put its row out of range or spoil it besides by its logit.
const CHECKS_CLASSES: bool = true;
// Whether each row has weights of its own for the classes.
const WEIGHTS_BY_ROW: bool = false;
// Whether each row has offsets of its own for the classes.
const OFFSETS_BY_ROW: bool = false;
// Whether statistics of rows are asked for, and whether the entropy is one of them.
const STATISTICS: bool = true;
const ENTROPY: bool = true;
// Whether the classes of a row lie side by side.
const CONTIGUOUS: bool = true;
// Whether anything is stored for each class, and whether that is a gradient.
const STORES: bool = true;
const GRADIENTS: bool = true;
// Whether all rows are of whole quads, which are loaded and stored at once.
const ALIGNED: bool = false;
// Whether gradients overwrite the first input.
const IN_PLACE: bool = false;
// Whether a mean divides by the weights of the target classes.
const MEAN_OVER_CLASS_WEIGHTS: bool = true;
// Room for so many logits in workgroup memory, where it keeps a row.
const ROW_CACHE: u32 = 1024u;

// The first and the second input, of which gaps between rows are a part.
@group(0) @binding(2) var<storage, read> input_logits: array<f32>;
@group(0) @binding(3) var<storage, read> input_teacher_logits: array<f32>;
// A class index a row.
@group(0) @binding(4) var<storage, read> input_target: array<i32>;
// A weight and an offset a class or a class of a row, a weight a row, and an upstream a row, a class of a row or for
// all.
@group(0) @binding(5) var<storage, read> input_class_weight: array<f32>;
@group(0) @binding(6) var<storage, read> input_class_offset: array<f32>;
@group(0) @binding(7) var<storage, read> input_weight: array<f32>;
@group(0) @binding(8) var<storage, read> input_mask: array<f32>;
@group(0) @binding(9) var<storage, read> input_upstream: array<f32>;
// The gradient of the first input.
@group(0) @binding(10) var<storage, read_write> grad_logits: array<f32>;
// A loss a row, or a value a class of a row.
@group(0) @binding(11) var<storage, read_write> loss_of_item: array<f32>;
// Statistics of each row.
@group(0) @binding(12) var<storage, read_write> log_sum_exp_of_item: array<f32>;
@group(0) @binding(13) var<storage, read_write> argmax_of_item: array<i32>;
@group(0) @binding(14) var<storage, read_write> entropy_of_item: array<f32>;
@group(0) @binding(15) var<storage, read_write> log_prob_of_item: array<f32>;
// A record for each row and one for each of its parts, where several workgroups take a row.
@group(0) @binding(16) var<storage, read_write> rows: array<Row>;
@group(0) @binding(17) var<storage, read_write> workspace: Workspace;
// Values of a row that are a loss's own, a policy's among others.
@group(0) @binding(18) var<storage, read> input_advantage: array<f32>;
@group(0) @binding(19) var<storage, read> input_old_log_prob: array<f32>;
@group(0) @binding(20) var<storage, read> input_ref_log_prob: array<f32>;
@group(0) @binding(21) var<storage, read> input_importance: array<f32>;
@group(0) @binding(22) var<storage, read> input_origin: array<f32>;
// A bit a class of a row.
@group(0) @binding(23) var<storage, read> input_left_out: array<i32>;
// Statistics of each row that are a loss's own.
@group(0) @binding(24) var<storage, read_write> clipped_of_item: array<f32>;
@group(0) @binding(25) var<storage, read_write> kl_of_item: array<f32>;

// An element of the first input.
fn load_first(index: u32) -> f32 {
    return input_logits[index];
}

// Four elements of the first input, of the second, and of an upstream with a value for each class: where quads are
// loaded at once.
fn load_first_quad(quad: u32) -> vec4<f32> {
    return vec4<f32>(1.0);
}

fn load_second_quad(quad: u32) -> vec4<f32> {
    return vec4<f32>(1.0);
}

fn load_upstreams(quad: u32) -> vec4<f32> {
    return vec4<f32>(1.0);
}

// An element of the second input; 1 where there is none.
fn load_second(index: u32) -> f32 {
    return input_teacher_logits[index];
}

// The weight of a class, by its column or, where rows have their own, its element; 1 where it is left out.
fn load_class_weight(index: u32) -> f32 {
    return input_class_weight[index];
}

// The offset of a class, by its column or, where rows have their own, its element: of calls with offsets.
fn load_class_offset(index: u32) -> f32 {
    return input_class_offset[index];
}

// The class index of a row; 0 where rows have none.
fn load_target(index: u32) -> i32 {
    return input_target[call.item_base + index];
}

// Of losses with `RowHooks::OwnValues`: each of their values of a row, its default where it is left out, and whether
// one of them is NaN. Where one is out of range, the class index is none.
fn load_advantage(index: u32) -> f32 {
    return input_advantage[call.item_base + index];
}

fn load_old_log_prob(index: u32) -> f32 {
    return input_old_log_prob[call.item_base + index];
}

fn load_ref_log_prob(index: u32) -> f32 {
    return input_ref_log_prob[call.item_base + index];
}

fn load_importance(index: u32) -> f32 {
    return input_importance[call.item_base + index];
}

fn load_origin(index: u32) -> f32 {
    return input_origin[call.item_base + index];
}

fn has_nan(index: u32) -> bool {
    return is_nan(load_advantage(index)) || is_nan(load_old_log_prob(index)) || is_nan(load_ref_log_prob(index))
        || is_nan(load_importance(index)) || is_nan(load_origin(index));
}

// A word of the bits that tell which classes are left out.
fn load_left_out(index: u32) -> u32 {
    return u32(input_left_out[index]);
}

// The weight of a row; 1 where it is left out.
fn load_weight(index: u32) -> f32 {
    return input_weight[call.item_base + index];
}

// The upstream of a row, or of an element of the values of all classes; 1 where it is left out.
fn load_upstream(index: u32) -> f32 {
    return input_upstream[(call.item_base + index) * call.upstream_stride];
}

// Whether the mask does not leave an item out.
fn is_kept(index: u32) -> bool {
    return (bitcast<u32>(input_mask[call.item_base + index]) << 1u) != 0u;
}

// Whether a class index says that its row is left out: of losses with `ignore_index`, if it is that.
fn is_ignored(label: i32) -> bool {
    return false;
}

// Stores a row's loss, where each keeps its own.
fn store_loss(index: u32, value: f32) {
    loss_of_item[call.item_base + index] = value;
}

// Stores the value of a class, by its index among the values of all, and four of them. Nothing where classes have none.
fn store_value(index: u32, value: f32) {}

fn store_value_quad(quad: u32, values: vec4<f32>) {}

// Stores a statistic of a row, where it is asked for.
fn store_log_sum_exp(index: u32, value: f32) {
    log_sum_exp_of_item[call.item_base + index] = value;
}

fn store_argmax(index: u32, value: i32) {
    argmax_of_item[call.item_base + index] = value;
}

fn store_entropy(index: u32, value: f32) {
    entropy_of_item[call.item_base + index] = value;
}

fn store_log_prob(index: u32, value: f32) {
    log_prob_of_item[call.item_base + index] = value;
}

// Stores the statistics of a row that are the loss's own, each as `finished_statistic` of what its hook gives. Nothing
// where there are none, or none is asked for.
fn store_own_statistics(row: Row, index: u32, is_spoilt: bool) {}

// Stores the gradient of an element, or adds it to what is there.
fn put_gradient(index: u32, value: f32) {
    grad_logits[index] = value;
}

// The same of the two halves of a word, by the word's index. Nothing where elements are not halves.
fn put_gradients(word: u32, values: vec2<f32>) {}

// The same of a quad, where quads are stored at once.
fn put_gradient_quad(quad: u32, values: vec4<f32>) {}
