// What the kernel is given that brings a divisor to the workspace, as it is in f32. It gets its own in place of this
// file; a test holds both together.

struct Call {
    // The divisor that is an option.
    factor: f32,
}
@group(0) @binding(0) var<uniform> call: Call;

@group(0) @binding(2) var<storage, read> input_divisor: array<f32>;
@group(0) @binding(3) var<storage, read_write> workspace: Workspace;

fn load_divisor(index: u32) -> f32 {
    return input_divisor[index];
}
