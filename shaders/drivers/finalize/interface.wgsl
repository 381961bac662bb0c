// What the kernel that adds up partials is given. It gets the same in place of this file; a test holds both together.

struct Call {
    // Partials of all chunks.
    partials: u32,
    // 0 where the divisor is known; else `workspace.divisor` holds it.
    measured: u32,
    // The divisor where it is known.
    divisor: f32,
    // The weights of a loss's two terms: of the pixels' mean and of the scores'.
    pixel_weight: f32,
    score_weight: f32,
}
@group(0) @binding(0) var<uniform> call: Call;

// The result, one value. Where each item keeps its loss, those are bound and stay as they are.
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> workspace: Workspace;
