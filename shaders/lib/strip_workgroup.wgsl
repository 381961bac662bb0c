// What lanes have of the left side of a strip, for the others: in workgroup memory.
var<workgroup> left_quads: array<vec4<f32>, LEFT_QUADS>;

// One barrier before it is overwritten, one before it is read.
fn share_left(thread: Thread) {
    workgroupBarrier();
    for (var slot = 0u; slot < LEFT_SLOTS; slot++) {
        let number = slot * WORKGROUP_SIZE + thread.lane;
        if (number < LEFT_QUADS) {
            left_quads[number] = own_left[slot];
        }
    }
    workgroupBarrier();
}

fn left_quad(number: u32) -> vec4<f32> {
    return left_quads[number];
}
