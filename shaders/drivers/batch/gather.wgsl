// What the rows of one side owe to the gradient of each row of the other: a lane takes one of these, a workgroup some quads
// of all of them, and walks over the tiles of the rows that owe.
//
// The header gives DIFFERENCES, whether a row is drawn to the other less itself, and COSINE.

var<private> total: array<vec4<f32>, TILE_QUADS>;
var<private> center: array<vec4<f32>, TILE_QUADS>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn gather(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let receiver = min(workgroup.x * WORKGROUP_SIZE + thread.lane, params.receivers - 1u);
    let row = params.first_receiver + receiver;
    let first_quad = workgroup.y * TILE_QUADS;
    // A row too short to be brought to unit length is a multiple of what was given, and nothing else.
    let is_short = UNIT_FLOORED && records[row].norm < LEAST_NORM;
    for (var i = 0u; i < TILE_QUADS; i++) {
        total[i] = vec4<f32>();
        center[i] = vec4<f32>();
        if (DIFFERENCES) {
            center[i] = select(rows[row * params.quads + first_quad + i], vec4<f32>(), is_short);
        }
    }
    var radial = 0.0;
    let first = workgroup.z * params.part;
    let end = min(first + params.part, params.givers);
    for (var giver = first; giver < end; giver += TILE_ROWS) {
        load_tile(thread, params.first_giver + giver, params.first_giver + params.givers - 1u, first_quad);
        for (var i = 0u; i < TILE_ROWS; i++) {
            let place = receiver * params.receiver_stride + min(giver + i, end - 1u) * params.giver_stride;
            let weight = select(0.0, panel[place], giver + i < end);
            if (COSINE) {
                radial += select(0.0, panel[params.plane + place], giver + i < end);
            }
            for (var j = 0u; j < TILE_QUADS; j++) {
                total[j] += weight * (tile_quad(i, j) - center[j]);
            }
        }
    }
    if (workgroup.x * WORKGROUP_SIZE + thread.lane < params.receivers) {
        let to = params.first_sum + workgroup.z * params.receivers + receiver;
        for (var i = 0u; i < TILE_QUADS; i++) {
            let place = to * params.quads + first_quad + i;
            sums[place] = select(vec4<f32>(), sums[place], params.adds != 0u) + total[i];
        }
        if (COSINE && first_quad == 0u) {
            let place = params.first_radial + to;
            let old = select(0.0, sums[place / 4u][place % 4u], params.adds != 0u);
            sums[place / 4u][place % 4u] = old + radial;
        }
    }
}
