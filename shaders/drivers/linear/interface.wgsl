// What kernels of linear losses are given besides those of the row loss, as it is with everything given, in f32. Each
// gets what it reads of it in place of this file; a test holds both together.
//
// A place is that of a row among those that count; places of a panel follow each other. Quads are of four values of a
// row, which 0 fills up behind its end.

struct Call {
    // Workgroups of a row of the grid, values or quads of a workgroup, and how many there are.
    across: u32,
    span: u32,
    length: u32,
    // The first row of the segment that is listed; rows of a sequence, and by how many a target lies behind its row.
    first: u32,
    sequence: u32,
    shift: u32,
    // The bits of a value that is picked from nowhere.
    absent: u32,
    // The first place of the panel, and the first row that is bound.
    first_place: u32,
    first_row: u32,
    // Quads of a row, its values, and those of a row of gradients.
    quads: u32,
    dimensions: u32,
    columns: u32,
    // Rows of a product, or of a panel, the stride of what a product is stored in, and its first column there.
    rows: u32,
    stride: u32,
    first_column: u32,
    // The depth of a product, and its last place, of all of it.
    first_depth: u32,
    end_depth: u32,
    last_depth: u32,
    // What products are multiplied with, and 1 where they are added to what is there.
    factor: f32,
    adds: u32,
    // From one row of logits to the next, the first class that is bound, and the last quad of all logits.
    logit_stride: u32,
    first_class: u32,
    last_quad: u32,
    // Of cosines the least length of a row, and the margin with its cosine and its sine.
    least_length: f32,
    margin: f32,
    cos_margin: f32,
    sin_margin: f32,
    // Classes, rows of the head of each, and from one row of the logits that these make to the next.
    classes: u32,
    centers: u32,
    center_stride: u32,
    // Partials and rows of a panel.
    partials_of_panel: u32,
    panel_rows: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

// Whether only the rows that count have a place.
const COMPACTS: bool = true;
// Whether rows of gradients are of whole words of halves.
const PAIRS: bool = false;
// The sizes of register tiles, in lanes, blocks and steps (lib/tile.wgsl), and which of their sides come along the
// depth.
const COLUMN_LANES: u32 = 8u;
const COLUMN_BLOCKS: u32 = 2u;
const TILE_STEPS: u32 = 2u;
const LEFT_ALONG: bool = true;
const RIGHT_ALONG: bool = true;

@group(0) @binding(2) var<storage, read> input_target: array<i32>;
@group(0) @binding(3) var<storage, read> input_mask: array<f32>;
@group(0) @binding(4) var<storage, read> input_hidden: array<f32>;
@group(0) @binding(5) var<storage, read> input_weight: array<f32>;
@group(0) @binding(6) var<storage, read> input_bias: array<f32>;
@group(0) @binding(7) var<storage, read> input_teacher_hidden: array<f32>;
@group(0) @binding(8) var<storage, read> input_teacher_weight: array<f32>;
@group(0) @binding(9) var<storage, read> input_teacher_bias: array<f32>;
@group(0) @binding(10) var<storage, read_write> gradient: array<f32>;
// Which row is at each place, which place each row has, and whether a place has a row that counts: 1, or 2
// where its target is out of range.
@group(0) @binding(11) var<storage, read_write> order: array<u32>;
@group(0) @binding(12) var<storage, read_write> places: array<u32>;
@group(0) @binding(13) var<storage, read_write> kept: array<i32>;
// Values that are picked by indices.
@group(0) @binding(14) var<storage, read> indices: array<u32>;
@group(0) @binding(15) var<storage, read> source: array<f32>;
@group(0) @binding(16) var<storage, read_write> picked: array<u32>;
// The rows of a panel, or of gradients; its logits, which become their gradients; a product; and sums over its rows.
@group(0) @binding(17) var<storage, read_write> rows: array<vec4<f32>>;
@group(0) @binding(18) var<storage, read_write> logits: array<vec4<f32>>;
@group(0) @binding(19) var<storage, read_write> products: array<vec4<f32>>;
@group(0) @binding(20) var<storage, read_write> sums: array<vec4<f32>>;
@group(0) @binding(21) var<storage, read_write> workspace: Workspace;
// Of cosines the rows, what rows are multiplied with to have unit length, what margins make of the slopes, the targets
// of a panel's places, and the logits of a class's several rows of the head.
@group(0) @binding(22) var<storage, read> input_embeddings: array<f32>;
@group(0) @binding(23) var<storage, read_write> lengths: array<f32>;
@group(0) @binding(24) var<storage, read_write> slopes: array<f32>;
@group(0) @binding(25) var<storage, read> targets: array<i32>;
@group(0) @binding(26) var<storage, read_write> center_logits: array<vec4<f32>>;

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

// Whether a class index names one of the classes.
fn is_in_range(label: i32) -> bool {
    return label >= 0 && u32(label) < call.classes;
}

// The bits of a value to be picked.
fn load_bits(index: u32) -> u32 {
    return bitcast<u32>(source[index]);
}

// Four values of a row of hidden states, or of the head, by the place of their quad.
fn load_quad(row: u32, place: u32) -> vec4<f32> {
    return vec4<f32>(input_hidden[row * call.dimensions + 4u * place]);
}

fn load_head(row: u32, place: u32) -> vec4<f32> {
    return vec4<f32>(input_weight[row * call.dimensions + 4u * place]);
}

// Four values of a row that is measured, and of one of unit length, by the place of their quad.
fn load_row(row: u32, place: u32) -> vec4<f32> {
    return rows[row * call.quads + place];
}

fn direction_of(row: u32, quad: u32) -> vec4<f32> {
    return rows[row * call.quads + quad];
}

// What a row of the head is multiplied with; 1 where logits are no cosines.
fn inverse_length_of(index: u32) -> f32 {
    return lengths[index];
}

// The bias of a class.
fn load_bias(index: u32) -> f32 {
    return input_bias[index];
}

// Which row the gradients of that number are of; NOWHERE for none.
fn row_of(index: u32) -> u32 {
    return index;
}

// Stores a gradient or adds to it, and those of the two halves of a word.
fn put_value(index: u32, value: f32) {
    gradient[index] = value;
}

fn put_pair(word: u32, values: vec2<f32>) {
}
