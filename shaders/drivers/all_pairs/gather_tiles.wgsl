// What the rows of one side owe to the gradient of each row of the other, by register tiles (lib/tile.wgsl), for
// workgroups of many lanes: of the receivers with all dimensions, over the givers. What a pair adds is the left side,
// which lies in the panel along its columns; the rows that owe are the right side.

// What each row of the lane's is drawn from, as `total` has its sums.
var<private> center: array<mat4x4<f32>, COLUMN_BLOCKS>;
// Of a cosine, what the pairs of a slot add to their receivers themselves.
var<private> radial: array<vec4<f32>, LEFT_SLOTS>;
var<private> takes_radial: bool;
// Where the givers end that the workgroup takes.
var<private> giver_end: u32;

// A quad of the panel at a receiver and a giver, nothing behind the last giver.
fn load_plane(plane: u32, receiver: u32, giver: u32) -> vec4<f32> {
    if (TO_COLUMNS) {
        let row = min(giver, giver_end - 1u);
        let column = min(receiver, call.receivers - 1u) / 4u * 4u;
        return select(vec4<f32>(), panel_quads[(plane + row * call.stride + column) / 4u], giver < giver_end);
    }
    let row = min(receiver, call.receivers - 1u);
    let column = min(giver, giver_end - 1u) / 4u * 4u;
    let quad = panel_quads[(plane + row * call.stride + column) / 4u];
    return select(vec4<f32>(), quad, are_before(giver, giver_end));
}

fn load_left(slot: u32, receiver: u32, giver: u32) -> vec4<f32> {
    if (COSINE && takes_radial) {
        radial[slot] += load_plane(call.plane, receiver, giver);
    }
    return load_plane(0u, receiver, giver);
}

fn load_right(slot: u32, dimension: u32, giver: u32) -> vec4<f32> {
    let row = call.first_giver + min(giver, call.givers - 1u);
    return rows[row * call.quads + min(dimension / 4u, call.quads - 1u)];
}

fn add_product(sum: vec4<f32>, left: f32, right: vec4<f32>, block: u32, row: u32) -> vec4<f32> {
    if (DIFFERENCES) {
        return fma(vec4<f32>(left), right - center[block][row], sum);
    }
    return fma(vec4<f32>(left), right, sum);
}

// Adds up what the slots have of each receiver, in place of the left side's last tile.
fn put_radials(thread: Thread, first_receiver: u32, to: u32) {
    next_left = radial;
    workgroupBarrier();
    put_left(thread);
    workgroupBarrier();
    for (var row = thread.lane; row < TILE_ROWS; row += WORKGROUP_SIZE) {
        var sum = 0.0;
        for (var step = 0u; step < TILE_STEPS; step++) {
            if (TO_COLUMNS) {
                let quads = &left_tile[step].quads;
                sum += quads[0][row / 4u][row % 4u];
                sum += quads[1][row / 4u][row % 4u];
                sum += quads[2][row / 4u][row % 4u];
                sum += quads[3][row / 4u][row % 4u];
            } else {
                let quad = left_tile[step].quads[row % 4u][row / 4u];
                sum += (quad.x + quad.y) + (quad.z + quad.w);
            }
        }
        put_radial(first_receiver + row < call.receivers, to + first_receiver + row, sum);
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn gather(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first_receiver = workgroup.x * TILE_ROWS;
    let first_dimension = workgroup.y * TILE_COLUMNS;
    let receiver = first_receiver + own_row(thread);
    for (var block = 0u; block < COLUMN_BLOCKS; block++) {
        center[block] = mat4x4<f32>();
        if (DIFFERENCES) {
            let quad = min((first_dimension + own_column(thread, block)) / 4u, call.quads - 1u);
            center[block] = mat4x4<f32>(
                center_of(receiver, quad),
                center_of(receiver + 1u, quad),
                center_of(receiver + 2u, quad),
                center_of(receiver + 3u, quad),
            );
        }
    }
    let first = workgroup.z * call.part;
    let end = min(first + call.part, call.givers);
    giver_end = end;
    takes_radial = workgroup.y == 0u;
    multiply(thread, first_receiver, first_dimension, first, end);

    let to = call.first_sum + workgroup.z * call.receivers;
    for (var block = 0u; block < COLUMN_BLOCKS; block++) {
        let quad = (first_dimension + own_column(thread, block)) / 4u;
        let left = select(0u, call.receivers - min(receiver, call.receivers), quad < call.quads);
        put_sum(left > 0u, to + receiver, quad, total[block][0]);
        put_sum(left > 1u, to + receiver + 1u, quad, total[block][1]);
        put_sum(left > 2u, to + receiver + 2u, quad, total[block][2]);
        put_sum(left > 3u, to + receiver + 3u, quad, total[block][3]);
    }
    if (COSINE && workgroup.y == 0u) {
        put_radials(thread, first_receiver, to);
    }
}
