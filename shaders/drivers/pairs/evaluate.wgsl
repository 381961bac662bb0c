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
fn walk(row: Row, lane: u32, is_second: bool, scales: vec3<f32>, stretches: vec3<f32>) -> Sums {
    let quads = quads_of(row, lane);
    var total = Sums();
    for (var block = quads.x; block < quads.y; block += BLOCK * WORKGROUP_SIZE) {
        let block_end = min(block + BLOCK * WORKGROUP_SIZE, quads.y);
        var sums = Sums();
        for (var quad = block; quad < block_end; quad += WORKGROUP_SIZE) {
            let values = load_quad(quad, row);
            var terms = Sums();
            if (is_second) {
                terms = second_terms(values, scales, stretches);
            } else {
                terms = first_terms(values, scales);
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

// What the first walk sums, of all lanes.
struct Measures {
    squares: vec3<f32>,
    products: vec3<f32>,
}

// Of embeddings for cosines, else of differences.
fn count_of_squares() -> u32 {
    if (is_cosine()) {
        return select(2u, 3u, THIRD);
    }
    return DISTANCES;
}

fn measure_rows(thread: Thread, row: Row, scales: vec3<f32>) -> Measures {
    let terms = walk(row, thread.lane, false, scales, vec3<f32>());
    var measures = Measures(reduce_sums(thread, terms.squares, count_of_squares()), vec3<f32>());
    if (is_cosine()) {
        measures.products = reduce_sums(thread, terms.products, DISTANCES);
    }
    return measures;
}

// A scale for each square that is measured.
fn scales_of(squares: vec3<f32>) -> vec3<f32> {
    var scales = vec3<f32>(scale_of(squares.x), 1.0, 1.0);
    if (count_of_squares() > 1u) {
        scales.y = scale_of(squares.y);
    }
    if (count_of_squares() > 2u) {
        scales.z = scale_of(squares.z);
    }
    return scales;
}

fn are_finite(values: vec3<f32>) -> bool {
    return is_finite(values.x) && is_finite(values.y) && is_finite(values.z);
}

// The distances of an item, and whether its values are finite, and squared distances.
struct Distances {
    xy: Distance,
    xz: Distance,
    yz: Distance,
    known: bool,
}

fn measure_distances(thread: Thread, row: Row) -> Distances {
    let unit = vec3<f32>(1.0);
    var scales = unit;
    var measures = Measures();
    loop {
        measures = measure_rows(thread, row, scales);
        let needed = scales_of(measures.squares);
        // Few rows are measured again. A loop that is left at its end has no pass without lanes, as a branch has where
        // lanes run in step.
        let again = agreed(thread, all(scales == unit) && any(needed != unit));
        if (!again) {
            break;
        }
        scales = needed;
    }
    let squares = measures.squares;
    let products = measures.products;
    if (!is_cosine()) {
        let xy = distance_of(squares.x, scales.x);
        let xz = distance_of(squares.y, scales.y);
        let yz = distance_of(squares.z, scales.z);
        let known = are_finite(squares) && are_finite(vec3<f32>(xy.value, xz.value, yz.value));
        return Distances(xy, xz, yz, known);
    }
    let xy = cosine_distance_of(squares.x, squares.y, products.x, scales.xy);
    let xz = cosine_distance_of(squares.x, squares.z, products.y, scales.xz);
    let yz = cosine_distance_of(squares.y, squares.z, products.z, scales.yz);
    // Most rows have none that is near.
    var near = Sums();
    if (xy.near || xz.near || yz.near) {
        near = walk(row, thread.lane, true, scales, vec3<f32>(xy.stretch, xz.stretch, yz.stretch));
    }
    let gaps = reduce_sums(thread, near.squares, DISTANCES);
    let excesses = reduce_sums(thread, near.products, DISTANCES);
    return Distances(
        near_distance_of(xy, squares.x, squares.y, gaps.x, excesses.x),
        near_distance_of(xz, squares.x, squares.z, gaps.y, excesses.y),
        near_distance_of(yz, squares.y, squares.z, gaps.z, excesses.z),
        are_finite(squares),
    );
}

// The gradients of four dimensions.
fn gradients_of(quad: Quad, distances: Distances, slopes: vec3<f32>) -> Quad {
    let xy = pull(quad.first, quad.second, distances.xy, slopes.x);
    if (DISTANCES == 1u) {
        return Quad(xy[0], xy[1], vec4<f32>());
    }
    let xz = pull(quad.first, quad.third, distances.xz, slopes.y);
    if (DISTANCES == 2u) {
        return Quad(xy[0] + xz[0], xy[1], xz[1]);
    }
    let yz = pull(quad.second, quad.third, distances.yz, slopes.z);
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
        if (!distances.known || is_nan(label)) {
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
