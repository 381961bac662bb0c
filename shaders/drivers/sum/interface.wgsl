// What the kernel is given that adds up the parts of a sum. It gets the same in place of this file; a test holds both
// together.

struct Call {
    // How many parts.
    parts: u32,
    // From the result of one to the next, in values.
    loss_stride: u32,
    // From the workspace of one to the next, in words.
    workspace_stride: u32,
    // The weights of the parts.
    weight_0: f32,
    weight_1: f32,
    weight_2: f32,
}
@group(0) @binding(0) var<uniform> call: Call;

// The words of a workspace that hold these.
const ITEMS: u32 = 1u;
const INVALID: u32 = 3u;
const INVALID_PARTIAL: u32 = 5u;
const INVALID_ITEM: u32 = 6u;

// The result.
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
// The workspaces of the parts, and the sum's own.
@group(0) @binding(4) var<storage, read_write> workspaces: array<u32>;
@group(0) @binding(5) var<storage, read_write> workspace: Workspace;
