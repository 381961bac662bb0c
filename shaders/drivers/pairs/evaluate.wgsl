// Losses of pairs and triplets: one item a row of each input, which a workgroup takes. A workgroup owns a contiguous
// span of items and works on one at a time.
//
// Its lanes interleave along the quads of a row, as these lie in memory: where rows are not of whole quads, a row
// begins and ends within one, and only what is inside counts. A quad is the same lane's for all rows and all walks. So
// a word of halves that two rows share is never written by two lanes, and in place a lane has read what it overwrites.
//
// Joined to what interface.wgsl lists.

// The elements of a row.
struct Row {
    begin: u32,
    end: u32,
}

// The places of a quad's elements.
fn places_of(quad: u32) -> vec4<u32> {
    return 4u * quad + vec4<u32>(0u, 1u, 2u, 3u);
}

fn inside(quad: u32, row: Row) -> vec4<bool> {
    if (ALIGNED) {
        return vec4<bool>(true);
    }
    let places = places_of(quad);
    return (places >= vec4<u32>(row.begin)) & (places < vec4<u32>(row.end));
}

// Four dimensions of each embedding; outside the row, those at its ends.
fn load_quad(quad: u32, row: Row) -> Quad {
    return load_values(quad, clamp(places_of(quad), vec4<u32>(row.begin), vec4<u32>(row.end - 1u)));
}

// A lane's first quad of a row, and the end of all.
fn quads_of(row: Row, lane: u32) -> vec2<u32> {
    let first = row.begin / 4u;
    return vec2<u32>(first + (lane - first) % WORKGROUP_SIZE, (row.end + 3u) / 4u);
}

fn masked(terms: mat3x4<f32>, counts: vec4<bool>) -> mat3x4<f32> {
    if (ALIGNED) {
        return terms;
    }
    let zero = vec4<f32>();
    return mat3x4<f32>(select(zero, terms[0], counts), select(zero, terms[1], counts), select(zero, terms[2], counts));
}

// The sums of a lane's quads, `BLOCK` at a time, so that rounding does not grow with the length.
fn walk(row: Row, lane: u32, is_second: bool, stretches: vec3<f32>) -> Sums {
    let quads = quads_of(row, lane);
    var total = Sums();
    for (var block = quads.x; block < quads.y; block += BLOCK * WORKGROUP_SIZE) {
        let block_end = min(block + BLOCK * WORKGROUP_SIZE, quads.y);
        var sums = Sums();
        for (var quad = block; quad < block_end; quad += WORKGROUP_SIZE) {
            let values = load_quad(quad, row);
            var terms = Sums();
            if (is_second) {
                terms = second_terms(values, stretches);
            } else {
                terms = first_terms(values);
            }
            let counts = inside(quad, row);
            sums.squares += masked(terms.squares, counts);
            sums.products += masked(terms.products, counts);
        }
        total.squares += sums.squares;
        total.products += sums.products;
    }
    return total;
}

// The first `count` sums of a kind, of all lanes.
fn reduce_sums(thread: Thread, terms: mat3x4<f32>, count: u32) -> vec3<f32> {
    var sums = vec3<f32>(reduce_add(thread, sum(terms[0])), 0.0, 0.0);
    if (count > 1u) {
        sums.y = reduce_add(thread, sum(terms[1]));
    }
    if (count > 2u) {
        sums.z = reduce_add(thread, sum(terms[2]));
    }
    return sums;
}

// The distances of an item, and a number that is finite if all its values are.
struct Distances {
    xy: Distance,
    xz: Distance,
    yz: Distance,
    check: f32,
}

fn measure_distances(thread: Thread, row: Row) -> Distances {
    let terms = walk(row, thread.lane, false, vec3<f32>());
    if (!is_cosine()) {
        let squares = reduce_sums(thread, terms.squares, DISTANCES);
        let check = squares.x + squares.y;
        return Distances(distance_of(squares.x), distance_of(squares.y), distance_of(squares.z), check);
    }
    let squares = reduce_sums(thread, terms.squares, select(2u, 3u, THIRD));
    let products = reduce_sums(thread, terms.products, DISTANCES);
    let check = squares.x + squares.y + squares.z;
    let xy = cosine_distance_of(squares.x, squares.y, products.x);
    let xz = cosine_distance_of(squares.x, squares.z, products.y);
    let yz = cosine_distance_of(squares.y, squares.z, products.z);
    // Most rows have none that is near.
    var near = Sums();
    if (xy.near || xz.near || yz.near) {
        near = walk(row, thread.lane, true, vec3<f32>(xy.stretch, xz.stretch, yz.stretch));
    }
    let gaps = reduce_sums(thread, near.squares, DISTANCES);
    let excesses = reduce_sums(thread, near.products, DISTANCES);
    return Distances(
        near_distance_of(xy, squares.x, squares.y, gaps.x, excesses.x),
        near_distance_of(xz, squares.x, squares.z, gaps.y, excesses.y),
        near_distance_of(yz, squares.y, squares.z, gaps.z, excesses.z),
        check,
    );
}

// The gradients of four dimensions.
fn gradients_of(quad: Quad, distances: Distances, slopes: vec3<f32>) -> Quad {
    let xy = slopes.x * pull(quad.first, quad.second, distances.xy);
    if (DISTANCES == 1u) {
        return Quad(xy[0], xy[1], vec4<f32>());
    }
    let xz = slopes.y * pull(quad.first, quad.third, distances.xz);
    if (DISTANCES == 2u) {
        return Quad(xy[0] + xz[0], xy[1], xz[1]);
    }
    let yz = slopes.z * pull(quad.second, quad.third, distances.yz);
    return Quad(xy[0] + xz[0], xy[1] + yz[0], xz[1] + yz[1]);
}

fn store_gradients(row: Row, lane: u32, distances: Distances, slopes: vec3<f32>, counts: bool) {
    let quads = quads_of(row, lane);
    for (var quad = quads.x; quad < quads.y; quad += WORKGROUP_SIZE) {
        var gradients = Quad();
        if (counts) {
            gradients = gradients_of(load_quad(quad, row), distances, slopes);
        }
        put_gradients(quad, inside(quad, row), gradients);
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = workgroup.x * call.span;
    let end = min(first + call.span, call.length);
    let scale = gradient_scale();
    let share = loss_share();

    // The same in each lane.
    var loss = 0.0;
    var block_loss = 0.0;
    var items = 0u;
    var invalid = 0u;
    var first_invalid = NOWHERE;
    for (var index = first; index < end; index++) {
        let row = Row(index * call.classes, (index + 1u) * call.classes);
        let distances = measure_distances(thread, row);
        let label = load_label(index);
        let kept = is_kept(index);
        let counts = kept && is_label(label);
        let offends = kept && !counts;
        items += select(0u, 1u, counts);
        invalid += select(0u, 1u, offends);
        first_invalid = min(first_invalid, select(NOWHERE, index, offends));

        var outcome = outcome_of(vec3<f32>(distances.xy.value, distances.xz.value, distances.yz.value), label);
        if (!is_finite(distances.check) || is_nan(label)) {
            let nan = nan_from(outcome.loss);
            outcome = Outcome(nan, vec3<f32>(nan));
        }
        let weight = load_weight(index);
        let item_loss = select(0.0, (share * weight) * outcome.loss, counts);
        if (thread.lane == 0u) {
            store_loss(index, item_loss);
        }
        block_loss += item_loss;
        if ((index - first) % BLOCK == BLOCK - 1u) {
            loss += block_loss;
            block_loss = 0.0;
        }
        if (GRADIENTS) {
            let slopes = scale * weight * load_upstream(index) * outcome.slopes;
            store_gradients(row, thread.lane, distances, slopes, counts);
        }
    }
    if (thread.lane == 0u) {
        let total = loss + block_loss;
        workspace.partials[call.first_partial + workgroup.x] = Partial(total, items, invalid, first_invalid, 0u);
    }
}
