// The weight of a sample that is not too difficult: with it the weights add up to the number of all samples.

@compute @workgroup_size(WORKGROUP_SIZE)
fn finish_lesson(thread: Thread) {
    var selected = 0u;
    for (var i = thread.lane; i < call.partials; i += WORKGROUP_SIZE) {
        selected += lesson.partials[i];
    }
    selected = reduce_add_u32(thread, selected);
    if (thread.lane == 0u) {
        lesson.selected = selected;
        lesson.weight = f32(call.samples) / (f32(selected) + 1e-6);
    }
}
