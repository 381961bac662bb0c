// What the rows of one side owe to the gradient of each row of the other: a lane takes four of these, a workgroup some
// quads of all of them, and walks over the tiles of the rows that owe.

// A column for each of the four. Loops over arrays of the same length are unrolled, and the arrays become registers.
var<private> total: array<mat4x4<f32>, TILE_QUADS>;
var<private> center: array<mat4x4<f32>, TILE_QUADS>;
// Of four rows that owe a column each.
var<private> owed: array<mat4x4<f32>, TILE_ROWS / 4u>;

// Whether giver and the next three are before the end.
fn are_before(giver: u32, end: u32) -> vec4<bool> {
    return vec4<u32>(giver) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end);
}

// What four rows owe, each a column, to four others: a quad of the panel has neighbouring columns of one of its rows.
fn weights(plane: u32, receiver: u32, giver: u32) -> mat4x4<f32> {
    let stride = call.stride / 4u;
    let first = plane / 4u + select(receiver * stride + giver / 4u, giver * stride + receiver / 4u, TO_COLUMNS);
    let quads = mat4x4<f32>(
        panel_quads[first],
        panel_quads[first + stride],
        panel_quads[first + 2u * stride],
        panel_quads[first + 3u * stride],
    );
    if (TO_COLUMNS) {
        return quads;
    }
    return transpose(quads);
}

// What a row is drawn from: itself; or nothing, where it is too short to be brought to unit length, and is a multiple
// of what was given.
fn center_of(receiver: u32, quad: u32) -> vec4<f32> {
    let row = call.first_receiver + min(receiver, call.receivers - 1u);
    let is_short = UNIT_FLOORED && records[row].norm < call.least_norm;
    return select(rows[row * call.quads + quad], vec4<f32>(), is_short);
}

fn masked(quads: mat4x4<f32>, counts: vec4<bool>) -> mat4x4<f32> {
    return mat4x4<f32>(
        select(vec4<f32>(), quads[0], counts[0]),
        select(vec4<f32>(), quads[1], counts[1]),
        select(vec4<f32>(), quads[2], counts[2]),
        select(vec4<f32>(), quads[3], counts[3]),
    );
}

// What a row of the tile owes to the four.
fn add_owed(row: u32, weight: vec4<f32>) {
    for (var j = 0u; j < TILE_QUADS; j++) {
        let quad = tile_quad(row, j);
        total[j] += mat4x4<f32>(
            weight.x * (quad - center[j][0]),
            weight.y * (quad - center[j][1]),
            weight.z * (quad - center[j][2]),
            weight.w * (quad - center[j][3]),
        );
    }
}

fn put_sum(counts: bool, row: u32, quad: u32, value: vec4<f32>) {
    let place = row * call.quads + quad;
    if (counts) {
        sums[place] = select(vec4<f32>(), sums[place], call.adds != 0u) + value;
    }
}

fn put_radial(counts: bool, row: u32, value: f32) {
    let place = call.first_radial + row;
    if (counts) {
        sums[place] = vec4<f32>(select(0.0, sums[place].x, call.adds != 0u) + value);
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn gather(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let receiver = 4u * (workgroup.x * WORKGROUP_SIZE + thread.lane);
    let first_quad = workgroup.y * TILE_QUADS;
    // Behind the last one, the last four of whole quads.
    let last = (call.receivers - 1u) / 4u * 4u;
    let from_receiver = min(receiver, last);
    for (var j = 0u; j < TILE_QUADS; j++) {
        total[j] = mat4x4<f32>();
        center[j] = mat4x4<f32>();
        if (DIFFERENCES) {
            center[j] = mat4x4<f32>(
                center_of(receiver, first_quad + j),
                center_of(receiver + 1u, first_quad + j),
                center_of(receiver + 2u, first_quad + j),
                center_of(receiver + 3u, first_quad + j),
            );
        }
    }
    var radial = vec4<f32>();
    let first = workgroup.z * call.part;
    let end = min(first + call.part, call.givers);
    for (var giver = first; giver < end; giver += TILE_ROWS) {
        load_tile(thread, call.first_giver + giver, call.first_giver + call.givers - 1u, first_quad);
        for (var i = 0u; i < TILE_ROWS / 4u; i++) {
            let from_giver = min(giver + 4u * i, (end - 1u) / 4u * 4u);
            let counts = are_before(giver + 4u * i, end);
            owed[i] = masked(weights(0u, from_receiver, from_giver), counts);
            if (COSINE) {
                let along = masked(weights(call.plane, from_receiver, from_giver), counts);
                radial += along[0] + along[1] + along[2] + along[3];
            }
        }
        for (var i = 0u; i < TILE_ROWS / 4u; i++) {
            add_owed(4u * i, owed[i][0]);
            add_owed(4u * i + 1u, owed[i][1]);
            add_owed(4u * i + 2u, owed[i][2]);
            add_owed(4u * i + 3u, owed[i][3]);
        }
    }
    let to = call.first_sum + workgroup.z * call.receivers + receiver;
    let left = call.receivers - min(receiver, call.receivers);
    for (var j = 0u; j < TILE_QUADS; j++) {
        put_sum(left > 0u, to, first_quad + j, total[j][0]);
        put_sum(left > 1u, to + 1u, first_quad + j, total[j][1]);
        put_sum(left > 2u, to + 2u, first_quad + j, total[j][2]);
        put_sum(left > 3u, to + 3u, first_quad + j, total[j][3]);
    }
    if (COSINE && first_quad == 0u) {
        put_radial(left > 0u, to, radial.x);
        put_radial(left > 1u, to + 1u, radial.y);
        put_radial(left > 2u, to + 2u, radial.z);
        put_radial(left > 3u, to + 3u, radial.w);
    }
}
