// Distances between the embeddings of an item, and their gradients.
//
// The hooks give: DISTANCE, DISTANCES (how many: of the first and the second embedding, the first and the third, the
// second and the third), distance_eps and outcome_of.

// Four dimensions of each of an item's embeddings.
struct Quad {
    first: vec4<f32>,
    second: vec4<f32>,
    third: vec4<f32>,
}

// The loss of an item, and its derivative by each of the distances.
struct Outcome {
    loss: f32,
    slopes: vec3<f32>,
}

// The distance of two rows, and what makes its gradient. The rows are measured as a and b, times powers of two. With
// the difference a − stretch·b, the gradient by a is along·difference + own.x·a, by b it is
// stretch·(own.y·stretch·b − along·difference).
struct Distance {
    value: f32,
    // The powers that make a and b of the rows: one for both, if it is the difference that is measured.
    scales: vec2<f32>,
    // A number of 12 bits that makes b about as long as a, if it is their directions that are compared. Then the
    // difference of nearly parallel rows is small and has all its digits, and their distance comes from that. 1 − cos
    // would have none left.
    stretch: f32,
    along: f32,
    own: vec2<f32>,
    // Whether the cosine leaves it to the difference.
    near: bool,
    // Whether a cosine is a product over the constant divisor.
    short: bool,
}

// Sums over the dimensions, of four columns yet: for each distance one of both kinds. For cosines the first walk has
// the squares of the embeddings in the first.
struct Sums {
    squares: mat3x4<f32>,
    products: mat3x4<f32>,
}

// The least product of two lengths that a cosine divides by.
const LEAST_PRODUCT: f32 = 1e-8;

// Sums of squares below this may lack some that have vanished.
const LEAST_SQUARE: f32 = 8.7e-19; // 2^-60

// A power of two by which rows are to be measured that have this sum of squares: 1 unless it is not finite or too
// little. All lengths there are, times that, have squares far within f32.
fn scale_of(square: f32) -> f32 {
    if (!is_finite(square)) {
        return power_of_two(-80);
    }
    return select(1.0, power_of_two(80), square < LEAST_SQUARE);
}

fn is_cosine() -> bool {
    return DISTANCE == DISTANCE_COSINE;
}

// The upper 12 bits of a number's fraction. Products of two such numbers are exact.
fn upper(values: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(values) & vec4<u32>(0xfffff000u));
}

// Of cosines, rows come with their scales. Other differences get theirs here, with `eps`: equal rows may be huge.
fn difference(a: vec4<f32>, b: vec4<f32>, stretch: f32, scale: f32) -> vec4<f32> {
    if (is_cosine()) {
        let high = upper(b);
        return (a - stretch * high) - stretch * (b - high);
    }
    if (DISTANCE == DISTANCE_EUCLIDEAN) {
        return scale * (a - b) + scale * distance_eps();
    }
    return scale * (a - b);
}

// Embeddings with a scale for each.
fn scaled(quad: Quad, scales: vec3<f32>) -> Quad {
    return Quad(scales.x * quad.first, scales.y * quad.second, scales.z * quad.third);
}

// What the first walk sums, with a scale for each embedding of a cosine, and for each other distance.
fn first_terms(quad: Quad, scales: vec3<f32>) -> Sums {
    if (is_cosine()) {
        let rows = scaled(quad, scales);
        return Sums(
            mat3x4<f32>(rows.first * rows.first, rows.second * rows.second, rows.third * rows.third),
            mat3x4<f32>(rows.first * rows.second, rows.first * rows.third, rows.second * rows.third),
        );
    }
    let xy = difference(quad.first, quad.second, 1.0, scales.x);
    let xz = difference(quad.first, quad.third, 1.0, scales.y);
    let yz = difference(quad.second, quad.third, 1.0, scales.z);
    return Sums(mat3x4<f32>(xy * xy, xz * xz, yz * yz), mat3x4<f32>());
}

// What the second walk sums, for cosines: squares of the differences, and differences of the squares.
fn second_terms(unscaled: Quad, scales: vec3<f32>, stretches: vec3<f32>) -> Sums {
    let quad = scaled(unscaled, scales);
    let xy = difference(quad.first, quad.second, stretches.x, 1.0);
    let xz = difference(quad.first, quad.third, stretches.y, 1.0);
    let yz = difference(quad.second, quad.third, stretches.z, 1.0);
    return Sums(
        mat3x4<f32>(xy * xy, xz * xz, yz * yz),
        mat3x4<f32>(
            xy * (quad.first + stretches.x * quad.second),
            xz * (quad.first + stretches.y * quad.third),
            yz * (quad.second + stretches.z * quad.third),
        ),
    );
}

// A difference's length, or its square, of the square with that scale.
fn distance_of(square: f32, scale: f32) -> Distance {
    let scales = vec2<f32>(scale);
    if (DISTANCE == DISTANCE_EUCLIDEAN) {
        let length = sqrt(square);
        let along = select(1.0 / length, 0.0, length == 0.0);
        return Distance(min(length / scale, -LOWEST), scales, 1.0, along, vec2<f32>(), false, false);
    }
    return Distance(square / scale / scale, scales, 1.0, 2.0 / scale, vec2<f32>(), false, false);
}

// 1 − cos of two rows with these scales, of their squared lengths and their product: what it is where they are far from
// parallel.
fn cosine_distance_of(square_a: f32, square_b: f32, product: f32, scales: vec2<f32>) -> Distance {
    let a = sqrt(square_a);
    let b = sqrt(square_b);
    if (a == 0.0 || b == 0.0) {
        // No direction.
        return Distance(1.0, scales, 1.0, 0.0, vec2<f32>(), false, false);
    }
    // To the nearest of 12 bits.
    let stretch = bitcast<f32>((bitcast<u32>(a / b) + 0x800u) & 0xfffff000u);
    if (a * b / scales.x / scales.y < LEAST_PRODUCT) {
        let cosine = product / scales.x / scales.y / LEAST_PRODUCT;
        return Distance(1.0 - cosine, scales, stretch, 0.0, vec2<f32>(), false, true);
    }
    let cosine = product / (a * b);
    let far = Distance(1.0 - cosine, scales, stretch, 0.0, vec2<f32>(), cosine > 0.5, false);
    return with_gap(far, a, stretch * b, a - stretch * b);
}

// The gradient of 1 − cos, of the lengths of a and the stretched b, and how much longer a is.
fn with_gap(distance: Distance, a: f32, b: f32, gap: f32) -> Distance {
    var known = distance;
    known.along = 1.0 / a / b;
    known.own = vec2<f32>(-(gap / b + distance.value) / a / a, (gap / a - distance.value) / b / b);
    return known;
}

// The distance of rows near each other: of their squared lengths and what the second walk has summed.
// ‖a − b‖² = (‖a‖ − ‖b‖)² + 2·‖a‖·‖b‖·(1 − cos).
fn near_distance_of(distance: Distance, square_a: f32, square_b: f32, square: f32, excess: f32) -> Distance {
    if (!distance.near) {
        return distance;
    }
    let a = sqrt(square_a);
    let b = distance.stretch * sqrt(square_b);
    let gap = excess / (a + b);
    var known = distance;
    known.value = max(square - gap * gap, 0.0) / (2.0 * a * b);
    return with_gap(known, a, b, gap);
}

// The gradient by both rows, of the loss's derivative by their distance.
fn pull(first: vec4<f32>, second: vec4<f32>, distance: Distance, slope: f32) -> mat2x4<f32> {
    if (distance.short) {
        return (slope / -LEAST_PRODUCT) * mat2x4<f32>(second, first);
    }
    if (!is_cosine()) {
        let along = (slope * distance.along) * difference(first, second, 1.0, distance.scales.x);
        return mat2x4<f32>(along, -along);
    }
    let a = distance.scales.x * first;
    let b = distance.scales.y * second;
    let along = distance.along * difference(a, b, distance.stretch, 1.0);
    let slopes = slope * distance.scales;
    let by_a = along + distance.own.x * a;
    let by_b = (distance.own.y * distance.stretch) * b - along;
    return mat2x4<f32>(slopes.x * by_a, (slopes.y * distance.stretch) * by_b);
}
