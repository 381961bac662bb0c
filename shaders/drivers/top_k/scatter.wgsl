// Brings the gradients of the classes that the teacher gives to where they belong, those of a row by a workgroup.
//
// Joined to outcomes.wgsl.

@compute @workgroup_size(WORKGROUP_SIZE)
fn scatter(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let row = call.first_row + workgroup.x;
    // What a row that does not count names may be no class.
    let given = select(call.given, 0u, kept[row] == 0);
    for (var number = thread.lane; number < given; number += WORKGROUP_SIZE) {
        let column = u32(load_teacher_indices(call.given_base + workgroup.x * call.given + number));
        let gradient = student[outcome_of(number, row)];
        put_gradient(call.class_base + workgroup.x * call.classes + column, gradient);
    }
}
