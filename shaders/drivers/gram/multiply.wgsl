// The products of a sample's rows with each other, of the features less those of the target, over a slice of their
// columns. They are the same both ways: a workgroup makes a tile of them on or above the diagonal, and stores it twice.
//
// Joined to what interface.wgsl lists.

// Rows and columns of a tile.
const TILE: u32 = 4u;

struct Tile {
    // The first rows of both sides.
    first: u32,
    second: u32,
}

// A tile by its place in the rectangle that the tiles on and above the diagonal are folded into.
fn tile_of(place: u32) -> Tile {
    let row = place / call.wide;
    let column = place % call.wide;
    let last = 2u * call.tall - 1u;
    if (column > row) {
        return Tile(TILE * row, TILE * (column - 1u));
    }
    return Tile(TILE * (last - row), TILE * (last - column));
}

// A row of a sample, or its last one.
fn row_of(sample: u32, row: u32) -> u32 {
    return sample * call.rows + min(row, call.rows - 1u);
}

fn target_features(row: u32, quad: u32) -> vec4<f32> {
    return within(load_target_features(row * call.quads + quad, places_of(row, quad)), quad);
}

// The products of a row's quad with those of four others.
fn products_of(row: vec4<f32>, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(dot(row, a), dot(row, b), dot(row, c), dot(row, d));
}

fn reduce_four(thread: Thread, values: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(
        reduce_add(thread, values.x),
        reduce_add(thread, values.y),
        reduce_add(thread, values.z),
        reduce_add(thread, values.w),
    );
}

// Stores a product in the matrix that begins at `base`, and its mirror image.
fn store(base: u32, row: u32, column: u32, product: f32) {
    if (row < call.rows && column < call.rows) {
        products[base + row * call.rows + column] = product;
        products[base + column * call.rows + row] = product;
    }
}

fn store_row(base: u32, row: u32, column: u32, values: vec4<f32>) {
    store(base, row, column, values.x);
    store(base, row, column + 1u, values.y);
    store(base, row, column + 2u, values.z);
    store(base, row, column + 3u, values.w);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn multiply(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let number = workgroup.y * call.across + workgroup.x;
    let tiles = call.tall * call.wide;
    let slice = number / tiles % call.slices;
    // The last row of the grid may have more workgroups than there are tiles.
    let is_there = number / tiles / call.slices < call.samples;
    let sample = min(number / tiles / call.slices, call.samples - 1u);
    let tile = tile_of(number % tiles);
    let first = slice * call.slice;
    let end = min(first + call.slice, call.quads);

    let row_0 = row_of(sample, tile.first);
    let row_1 = row_of(sample, tile.first + 1u);
    let row_2 = row_of(sample, tile.first + 2u);
    let row_3 = row_of(sample, tile.first + 3u);
    let other_0 = row_of(sample, tile.second);
    let other_1 = row_of(sample, tile.second + 1u);
    let other_2 = row_of(sample, tile.second + 2u);
    let other_3 = row_of(sample, tile.second + 3u);
    var sums_0 = vec4<f32>();
    var sums_1 = vec4<f32>();
    var sums_2 = vec4<f32>();
    var sums_3 = vec4<f32>();
    for (var quad = first + thread.lane; quad < end; quad += WORKGROUP_SIZE) {
        let b_0 = features(other_0, quad);
        let b_1 = features(other_1, quad);
        let b_2 = features(other_2, quad);
        let b_3 = features(other_3, quad);
        sums_0 += products_of(features(row_0, quad), b_0, b_1, b_2, b_3);
        sums_1 += products_of(features(row_1, quad), b_0, b_1, b_2, b_3);
        sums_2 += products_of(features(row_2, quad), b_0, b_1, b_2, b_3);
        sums_3 += products_of(features(row_3, quad), b_0, b_1, b_2, b_3);
    }
    for (var quad = first + thread.lane; quad < end; quad += WORKGROUP_SIZE) {
        let b_0 = target_features(other_0, quad);
        let b_1 = target_features(other_1, quad);
        let b_2 = target_features(other_2, quad);
        let b_3 = target_features(other_3, quad);
        sums_0 -= products_of(target_features(row_0, quad), b_0, b_1, b_2, b_3);
        sums_1 -= products_of(target_features(row_1, quad), b_0, b_1, b_2, b_3);
        sums_2 -= products_of(target_features(row_2, quad), b_0, b_1, b_2, b_3);
        sums_3 -= products_of(target_features(row_3, quad), b_0, b_1, b_2, b_3);
    }
    sums_0 = reduce_four(thread, sums_0);
    sums_1 = reduce_four(thread, sums_1);
    sums_2 = reduce_four(thread, sums_2);
    sums_3 = reduce_four(thread, sums_3);
    if (thread.lane == 0u && is_there) {
        let base = (sample * call.slices + slice) * call.rows * call.rows;
        store_row(base, tile.first, tile.second, sums_0);
        store_row(base, tile.first + 1u, tile.second, sums_1);
        store_row(base, tile.first + 2u, tile.second, sums_2);
        store_row(base, tile.first + 3u, tile.second, sums_3);
    }
}
