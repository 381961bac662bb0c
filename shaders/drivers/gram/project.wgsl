// The gradient by the features: what the Gram matrices differ in, which is symmetric, times the rows. A lane makes a
// tile of some rows and one quad of their columns.
//
// Joined to what interface.wgsl lists.

// Rows of a tile.
const TILE: u32 = 8u;

fn put_row(row: u32, quad: u32, values: vec4<f32>) {
    if (ALIGNED) {
        put_gradients(row * call.quads + quad, values);
        return;
    }
    for (var i = 0u; i < 4u; i++) {
        let column = 4u * quad + i;
        if (column < call.columns) {
            put_gradient(row * call.columns + column, values[i]);
        }
    }
}

// Entries of a column of the matrix, of a tile's rows: those of a row of it, which are side by side.
fn entry(base: u32, row: u32, column: u32) -> f32 {
    return products[base + column * call.rows + min(row, call.rows - 1u)];
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn project(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let number = workgroup.y * call.across + workgroup.x;
    let quad = number % call.blocks * WORKGROUP_SIZE + thread.lane;
    let row = number / call.blocks % call.tiles * TILE;
    let sample = number / call.blocks / call.tiles;
    if (sample >= call.samples || quad >= call.quads) {
        return;
    }
    let base = sample * call.slices * call.rows * call.rows;
    var sums_0 = vec4<f32>();
    var sums_1 = vec4<f32>();
    var sums_2 = vec4<f32>();
    var sums_3 = vec4<f32>();
    var sums_4 = vec4<f32>();
    var sums_5 = vec4<f32>();
    var sums_6 = vec4<f32>();
    var sums_7 = vec4<f32>();
    for (var block = 0u; block < call.rows; block += BLOCK) {
        let end = min(block + BLOCK, call.rows);
        var part_0 = vec4<f32>();
        var part_1 = vec4<f32>();
        var part_2 = vec4<f32>();
        var part_3 = vec4<f32>();
        var part_4 = vec4<f32>();
        var part_5 = vec4<f32>();
        var part_6 = vec4<f32>();
        var part_7 = vec4<f32>();
        for (var column = block; column < end; column++) {
            let values = features(sample * call.rows + column, quad);
            part_0 += entry(base, row, column) * values;
            part_1 += entry(base, row + 1u, column) * values;
            part_2 += entry(base, row + 2u, column) * values;
            part_3 += entry(base, row + 3u, column) * values;
            part_4 += entry(base, row + 4u, column) * values;
            part_5 += entry(base, row + 5u, column) * values;
            part_6 += entry(base, row + 6u, column) * values;
            part_7 += entry(base, row + 7u, column) * values;
        }
        sums_0 += part_0;
        sums_1 += part_1;
        sums_2 += part_2;
        sums_3 += part_3;
        sums_4 += part_4;
        sums_5 += part_5;
        sums_6 += part_6;
        sums_7 += part_7;
    }
    let scale = gradient_scale() * load_upstream(0u);
    let first = sample * call.rows + row;
    let there = min(call.rows - row, TILE);
    put_row(first, quad, scale * sums_0);
    if (there > 1u) {
        put_row(first + 1u, quad, scale * sums_1);
    }
    if (there > 2u) {
        put_row(first + 2u, quad, scale * sums_2);
    }
    if (there > 3u) {
        put_row(first + 3u, quad, scale * sums_3);
    }
    if (there > 4u) {
        put_row(first + 4u, quad, scale * sums_4);
    }
    if (there > 5u) {
        put_row(first + 5u, quad, scale * sums_5);
    }
    if (there > 6u) {
        put_row(first + 6u, quad, scale * sums_6);
    }
    if (there > 7u) {
        put_row(first + 7u, quad, scale * sums_7);
    }
}
