// What the kernels are given that find which items there are, with everything given, in f32. Each gets its own in place
// of this file; a test holds both together.

struct Call {
    // Items, and the slots that have a part of each.
    items: u32,
    slots: u32,
    // From one slot's values to the next.
    stride: u32,
}
@group(0) @binding(0) var<uniform> call: Call;

// Which items a mask keeps.
@group(0) @binding(2) var<storage, read> input_mask: array<f32>;
// How each part stands, whether an item is there; how many are out of range, and the first of these.
@group(0) @binding(3) var<storage, read_write> standing: array<u32>;
@group(0) @binding(4) var<storage, read_write> kept: array<i32>;
@group(0) @binding(5) var<storage, read_write> judged: array<u32>;
@group(0) @binding(6) var<storage, read_write> workspace: Workspace;

// Whether the mask does not leave an item out.
fn is_kept(index: u32) -> bool {
    return (bitcast<u32>(input_mask[index]) << 1u) != 0u;
}
