// How much of a row of unit length its gradient has besides what was gathered: for a cosine the second sum, for other
// similarities what takes away the part along the row, which does not change its direction. A workgroup takes one row
// after another.

@compute @workgroup_size(WORKGROUP_SIZE)
fn project(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let end = min((workgroup.x + 1u) * call.span, call.length);
    for (var row = workgroup.x * call.span; row < end; row++) {
        var along = 0.0;
        for (var quad = thread.lane; quad < call.quads; quad += WORKGROUP_SIZE) {
            let place = row * call.quads + quad;
            along += dot(rows[place], sums[place]);
        }
        along = reduce_add(thread, along);
        if (thread.lane == 0u) {
            if (COSINE) {
                records[row].radial = sums[call.first_radial + row].x;
            } else {
                records[row].radial = select(-along, 0.0, records[row].norm < call.least_norm);
            }
        }
    }
}
