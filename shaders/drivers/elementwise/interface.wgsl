// What elementwise kernels are given, as it is of a loss of `prediction` and `target` with everything else given, in
// f32 and without room for whole quads. Kernels get their own in place of this file; a test holds both together.
//
// The loss's parameters are `params`. A quad is four elements side by side, by its index in the chunk.

struct Call {
    // Elements of the chunk.
    length: u32,
    // Quads of a workgroup.
    span: u32,
    // The place of the chunk's first partial.
    first_partial: u32,
    // What gradients are multiplied with besides weight and upstream; to be divided by a measured divisor yet.
    scale: f32,
    // 0 where the divisor is known, and the divisor then; else `workspace.divisor` holds it: 1 for the items that
    // count, WEIGHTED for the sum of their weights, GIVEN for the caller's.
    measured: u32,
    divisor: f32,
    // From one element's upstream to the next: 0 where all share one.
    upstream_stride: u32,
    // And for each input whose values serve several elements, where these are: what `places_along` or `places_across`
    // takes, and from one place to the next `step` values.
}
@group(0) @binding(0) var<uniform> call: Call;

// Whether any input has values out of range.
const CHECKED: bool = true;

// A value for each element of the chunk, of halves two a word; of `upstream` one for all or one each.
@group(0) @binding(2) var<storage, read> input_prediction: array<f32>;
@group(0) @binding(3) var<storage, read> input_target: array<f32>;
@group(0) @binding(4) var<storage, read> input_weight: array<f32>;
@group(0) @binding(5) var<storage, read> input_mask: array<f32>;
@group(0) @binding(6) var<storage, read> input_upstream: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_prediction: array<f32>;
@group(0) @binding(8) var<storage, read_write> loss_of_item: array<f32>;
@group(0) @binding(9) var<storage, read_write> workspace: Workspace;

// What the hook takes, of four elements: a vector for each input but the weight.
alias Items = array<vec4<f32>, 2>;
// What it gives of four elements: a column for the loss and for each gradient. And of one element.
alias Outcomes = mat2x4<f32>;
alias Outcome = vec2<f32>;

// Four values of an input, 1 where it is left out. Behind the last element they may be anything.
fn load_prediction(quad: u32) -> vec4<f32> {
    return vec4<f32>(input_prediction[4u * quad]);
}

fn load_target(quad: u32) -> vec4<f32> {
    return vec4<f32>(input_target[4u * quad]);
}

fn load_weight(quad: u32) -> vec4<f32> {
    return vec4<f32>(input_weight[4u * quad]);
}

fn load_upstream(quad: u32) -> vec4<f32> {
    return vec4<f32>(input_upstream[4u * quad * call.upstream_stride]);
}

// Whether the loss's call has a mask, and which of four items it keeps.
const MASKED: bool = true;

fn are_kept(quad: u32) -> vec4<bool> {
    return unsigned_bits_of(vec4<f32>(input_mask[4u * quad])) != vec4<u32>();
}

// What the hook takes, of a quad.
fn load_items(quad: u32) -> Items {
    return Items(load_prediction(quad), load_target(quad));
}

// The hook `loss_and_grad` of each of four elements.
fn hook(items: Items) -> Outcomes {
    return transpose(mat4x2<f32>(
        loss_and_grad(items[0].x, as_probability(items[1].x)),
        loss_and_grad(items[0].y, as_probability(items[1].y)),
        loss_and_grad(items[0].z, as_probability(items[1].z)),
        loss_and_grad(items[0].w, as_probability(items[1].w)),
    ));
}

// `finished_part` of the losses, times `weight`, and of each gradient, times `slope`.
fn finished(
    outcomes: Outcomes,
    inputs: vec4<u32>,
    offends: vec4<bool>,
    weight: vec4<f32>,
    slope: vec4<f32>,
) -> Outcomes {
    let bits = max(inputs, unsigned_bits_of(outcomes[0]));
    return Outcomes(
        finished_part(outcomes[0], bits, offends, weight),
        finished_part(outcomes[1], bits, offends, slope),
    );
}

// The largest of the inputs' bits without their sign, of each of four elements.
fn unsigned_bits(items: Items) -> vec4<u32> {
    return max(unsigned_bits_of(items[0]), unsigned_bits_of(items[1]));
}

// Whether the checked inputs of each of four elements are in range.
fn in_domain(items: Items) -> vec4<bool> {
    return vec4<bool>(is_probability(items[1].x));
}

// Stores four losses, where each element keeps its own.
fn store_loss_of_item(quad: u32, values: vec4<f32>) {
    loss_of_item[4u * quad] = values.x;
}

// Stores four gradients of an input, or adds them to what is there.
fn store_grad_prediction(quad: u32, values: vec4<f32>) {
    grad_prediction[4u * quad] = values.x;
}

// Stores what was made of a whole quad.
fn store(quad: u32, outcomes: Outcomes) {
    store_loss_of_item(quad, outcomes[0]);
    store_grad_prediction(quad, outcomes[1]);
}

// The same of one element, by its index in the chunk.
fn put(index: u32, outcome: Outcome) {
    loss_of_item[index] = outcome[0];
    grad_prediction[index] = outcome[1];
}
