// What kernels of pixels are given, those of the first and the last step of losses of regions, as it is with everything
// given, in f32 and with a target that has a value for each class. Kernels get their own in place of this file; a test
// holds both together.
//
// Of the loss's parameters `params` has `smooth` and `ignore_index`, and all of them where the loss has a term for each
// pixel.
// Pixels and elements are by their index in the chunk. A segment is what is scored together: a sample, or all.

struct Call {
    // Pixels of the chunk.
    length: u32,
    // Pixels of a part, which one workgroup takes.
    span: u32,
    // The place of the chunk's first partial, which is the number of its first part.
    first_partial: u32,
    // Parts of a segment in this chunk, and the pixels of a segment in it.
    parts: u32,
    segment: u32,
    // Classes of a pixel.
    classes: u32,
    // Elements from one class to the next, and from one sample to the next.
    class_stride: u32,
    row_stride: u32,
    // Parts of a segment in all chunks.
    segment_parts: u32,
    // The record that the slopes begin at.
    first_slopes: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

// Classes that a lane holds in registers at a time.
const STRIP: u32 = 8u;
// Of how many of its pixels a lane keeps the softmaxes, and what their gradients share, where there are several strips.
const KEPT_SOFTMAXES: u32 = 64u;
const KEPT_PULLS: u32 = 16u;
// Whether there are more classes.
const STRIPS: bool = true;
// Whether lanes are so many that each has few registers, as on GPUs. A lane's part is then one block of pixels.
const FEW_REGISTERS: bool = true;
// What makes probabilities of the predictions: neither, where they are such.
const SOFTMAX: bool = true;
const SIGMOID: bool = false;
// Whether predictions are checked to be probabilities.
const CHECKS_PREDICTION: bool = false;
// Whether the target is a class index a pixel.
const INDEX_TARGET: bool = false;
// Whether classes have weights, which are checked.
const CHECKS_WEIGHT: bool = true;
// Whether the pixels' term is one of each class by itself, of the target's value for it.
const ELEMENTWISE_TERM: bool = false;
// Whether the mean of the pixels' term divides by the weights of their classes.
const MASS_OF_WEIGHTS: bool = true;

@group(0) @binding(2) var<storage, read> input_prediction: array<f32>;
// A value for each class of a pixel; or i32, a class a pixel.
@group(0) @binding(3) var<storage, read> input_target: array<f32>;
// A weight a class.
@group(0) @binding(4) var<storage, read> input_class_weight: array<f32>;
@group(0) @binding(5) var<storage, read> input_mask: array<f32>;
@group(0) @binding(6) var<storage, read_write> grad_prediction: array<f32>;
// The sums of all parts, and behind them each segment's slopes.
@group(0) @binding(7) var<storage, read_write> records: array<Region>;
@group(0) @binding(8) var<storage, read_write> workspace: Workspace;

// The weight of a class, by its column; 1 where it is left out.
fn load_class_weight(index: u32) -> f32 {
    return input_class_weight[index];
}

// An element of the predictions.
fn load_first(index: u32) -> f32 {
    return input_prediction[index];
}

// The class of a pixel; 0 where the target has a value for each class.
fn load_target(index: u32) -> i32 {
    return 0;
}

// An element of a target that has a value for each class; 1 where it says the class.
fn load_second(index: u32) -> f32 {
    return input_target[index];
}

// Whether the mask does not leave an item out.
fn is_kept(index: u32) -> bool {
    return (bitcast<u32>(input_mask[index]) << 1u) != 0u;
}

// Whether a class index says that its pixel is left out.
fn is_ignored(label: i32) -> bool {
    return label == params.ignore_index;
}

// Stores the gradient of an element, or adds it to what is there.
fn put_gradient(index: u32, value: f32) {
    grad_prediction[index] = value;
}

// The same of the two halves of a word, by the word's index. Nothing where elements are not halves.
fn put_gradients(word: u32, values: vec2<f32>) {}
