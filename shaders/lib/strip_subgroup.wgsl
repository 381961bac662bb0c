// What lanes have of the left side of a strip, for the others of a workgroup that is one subgroup.
fn share_left(thread: Thread) {
}

fn left_quad(number: u32) -> vec4<f32> {
    return subgroupShuffle(own_left[number / WORKGROUP_SIZE], number % WORKGROUP_SIZE);
}
