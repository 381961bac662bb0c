// What lanes have of the left side of a strip, for the others: in workgroup memory.
var<workgroup> left_quads: array<vec4<f32>, LEFT_QUADS>;

fn put_slot(thread: Thread, slot: u32) {
    let number = slot * WORKGROUP_SIZE + thread.lane;
    if (number < LEFT_QUADS) {
        left_quads[number] = own_left[slot];
    }
}

// One barrier before it is overwritten, one before it is read.
fn share_left(thread: Thread) {
    workgroupBarrier();
    put_slot(thread, 0u);
    if (LEFT_SLOTS > 1u) {
        put_slot(thread, LEFT_SLOTS - 1u);
    }
    if (LEFT_SLOTS > 2u) {
        put_slot(thread, LEFT_SLOTS / 2u);
        put_slot(thread, LEFT_SLOTS / 2u - 1u);
    }
    workgroupBarrier();
}

fn left_quad(number: u32) -> vec4<f32> {
    return left_quads[number];
}
