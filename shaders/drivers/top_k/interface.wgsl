// What the kernels are given that gather the classes of a teacher's top k and scatter their gradients, with everything
// given, in f32. Each gets its own in place of this file; a test holds both together.
//
// Rows are by their index in the call, elements of a chunk's by where they lie in its bindings.

struct Call {
    // Rows of the call, and the first one of the chunk.
    rows: u32,
    first_row: u32,
    // Classes of a row, and how many of them are given.
    classes: u32,
    given: u32,
    // Words of a bit for each class of a row.
    left_out_words: u32,
    // Where the chunk begins in its bindings, which begin where that is aligned: its first logit, its first given
    // class, and its first word.
    class_base: u32,
    given_base: u32,
    left_out_base: u32,
    // Elements of the chunk, and pairs of them of a workgroup.
    elements: u32,
    span: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

// Whether each row has a class index, and whether the classes that are not given are an outcome.
const HAS_TARGET: bool = true;
const BUCKET: bool = true;

// Of each class of a row.
@group(0) @binding(2) var<storage, read> input_logits: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_logits: array<f32>;
// Of each given class of a row.
@group(0) @binding(4) var<storage, read> input_teacher_indices: array<i32>;
@group(0) @binding(5) var<storage, read> input_teacher_log_probs: array<f32>;
// Of each row.
@group(0) @binding(6) var<storage, read> input_target: array<i32>;
@group(0) @binding(7) var<storage, read> input_mask: array<f32>;
// Which classes of a row are given, a bit each.
@group(0) @binding(8) var<storage, read_write> left_out: array<atomic<u32>>;
// Of each outcome the logits of all rows, of the student and of the teacher: in place of the former come gradients.
@group(0) @binding(9) var<storage, read_write> student: array<f32>;
@group(0) @binding(10) var<storage, read_write> teacher: array<f32>;
// Of each row: what its logits are measured from, how it stands, and whether it is there.
@group(0) @binding(11) var<storage, read_write> origins: array<f32>;
@group(0) @binding(12) var<storage, read_write> standing: array<u32>;
@group(0) @binding(13) var<storage, read_write> kept: array<i32>;
// Of each row: the weight and the upstream of its loss; the latter is one where the loss is.
@group(0) @binding(14) var<storage, read> input_weight: array<f32>;
@group(0) @binding(15) var<storage, read> input_upstream: array<f32>;

// A logit.
fn load_logits(index: u32) -> f32 {
    return input_logits[index];
}

// A class that is given, and the logarithm of its probability.
fn load_teacher_indices(index: u32) -> i32 {
    return input_teacher_indices[index];
}

fn load_teacher_log_probs(index: u32) -> f32 {
    return input_teacher_log_probs[index];
}

// The class index of a row; 0 where rows have none.
fn load_target(index: u32) -> i32 {
    return input_target[index];
}

// Whether the mask does not leave a row out.
fn is_kept(index: u32) -> bool {
    return (bitcast<u32>(input_mask[index]) << 1u) != 0u;
}

// Whether a class index says that its row is left out.
fn is_ignored(label: i32) -> bool {
    return false;
}

// What a row's loss is multiplied with, and its gradient; 1 where nothing is given.
fn load_weight(index: u32) -> f32 {
    return input_weight[index];
}

fn load_upstream(index: u32) -> f32 {
    return input_upstream[index];
}

// Stores a gradient.
fn store_gradient(index: u32, value: f32) {
    grad_logits[index] = value;
}

// Stores a gradient, or adds it to what is there.
fn put_gradient(index: u32, value: f32) {
    grad_logits[index] = value;
}
