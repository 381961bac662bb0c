// What the rows that an anchor has mined, and the anchors that have mined it, owe to its gradient. A workgroup takes
// some quads of one row after another, its lanes those who owe.

var<private> total: array<vec4<f32>, TILE_QUADS>;

// The first place of the sorted list with this row or a later one.
fn first_place(row: u32) -> u32 {
    var low = 0u;
    var high = 2u * call.rows;
    while (low < high) {
        let middle = (low + high) / 2u;
        let before = lists[call.from_list + middle] < row;
        low = select(low, middle + 1u, before);
        high = select(middle, high, before);
    }
    return low;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn gather_mined(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let end = min((workgroup.x + 1u) * call.span, call.rows);
    let first_quad = workgroup.y * TILE_QUADS;
    for (var row = workgroup.x * call.span; row < end; row++) {
        let first = first_place(row);
        // Besides those who have mined it, its own two.
        let owing = first_place(row + 1u) - first + 2u;
        for (var j = 0u; j < TILE_QUADS; j++) {
            total[j] = vec4<f32>();
        }
        var radial = 0.0;
        for (var i = thread.lane; i < owing; i += WORKGROUP_SIZE) {
            var other = records[row].mined[i % 2u];
            var pull = records[row].pulls[i % 2u];
            var along = records[row].radials[i % 2u];
            if (i >= 2u) {
                let entry = lists[call.from_list + call.list + first + i - 2u];
                other = entry / 2u;
                pull = records[other].pulls[entry % 2u];
                along = records[other].radials[entry % 2u];
            }
            for (var j = 0u; j < TILE_QUADS; j++) {
                let quad = first_quad + j;
                total[j] += pull * (rows[other * call.quads + quad] - rows[row * call.quads + quad]);
            }
            radial += along;
        }
        // Where an anchor is spoilt, so are all rows that it is compared with.
        let spoilt = is_nan(workspace.slope);
        for (var j = 0u; j < TILE_QUADS; j++) {
            let x = reduce_add(thread, total[j].x);
            let y = reduce_add(thread, total[j].y);
            let z = reduce_add(thread, total[j].z);
            let w = reduce_add(thread, total[j].w);
            if (thread.lane == 0u) {
                let nan = vec4<f32>(nan_from(x));
                sums[row * call.quads + first_quad + j] = select(vec4<f32>(x, y, z, w), nan, spoilt);
            }
        }
        radial = reduce_add(thread, radial);
        if (COSINE && thread.lane == 0u && first_quad == 0u) {
            sums[call.first_radial + row] = vec4<f32>(radial);
        }
    }
}
