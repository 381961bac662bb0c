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

// The distance of two rows a and b, and what makes its gradient of the difference a − stretch·b: by a it is
// along·difference + own.x·a, by b it is stretch·(own.y·stretch·b − along·difference).
struct Distance {
    value: f32,
    // A number of 12 bits that makes b about as long as a, if it is their directions that are compared. Then the
    // difference of nearly parallel rows is small and has all its digits, and their distance comes from that. 1 − cos
    // would have none left.
    stretch: f32,
    along: f32,
    own: vec2<f32>,
    // Whether the cosine leaves it to the difference.
    near: bool,
}

// Sums over the dimensions, of four columns yet: for each distance one of both kinds. For cosines the first walk has
// the squares of the embeddings in the first.
struct Sums {
    squares: mat3x4<f32>,
    products: mat3x4<f32>,
}

// The least product of two lengths that a cosine divides by.
const LEAST_PRODUCT: f32 = 1e-8;

fn is_cosine() -> bool {
    return DISTANCE == DISTANCE_COSINE;
}

// The upper 12 bits of a number's fraction. Products of two such numbers are exact.
fn upper(values: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(values) & vec4<u32>(0xfffff000u));
}

fn difference(a: vec4<f32>, b: vec4<f32>, stretch: f32) -> vec4<f32> {
    if (is_cosine()) {
        let high = upper(b);
        return (a - stretch * high) - stretch * (b - high);
    }
    if (DISTANCE == DISTANCE_EUCLIDEAN) {
        return (a - b) + distance_eps();
    }
    return a - b;
}

// What the first walk sums.
fn first_terms(quad: Quad) -> Sums {
    if (is_cosine()) {
        return Sums(
            mat3x4<f32>(quad.first * quad.first, quad.second * quad.second, quad.third * quad.third),
            mat3x4<f32>(quad.first * quad.second, quad.first * quad.third, quad.second * quad.third),
        );
    }
    let xy = difference(quad.first, quad.second, 1.0);
    let xz = difference(quad.first, quad.third, 1.0);
    let yz = difference(quad.second, quad.third, 1.0);
    return Sums(mat3x4<f32>(xy * xy, xz * xz, yz * yz), mat3x4<f32>());
}

// What the second walk sums, for cosines: squares of the differences, and differences of the squares.
fn second_terms(quad: Quad, stretches: vec3<f32>) -> Sums {
    let xy = difference(quad.first, quad.second, stretches.x);
    let xz = difference(quad.first, quad.third, stretches.y);
    let yz = difference(quad.second, quad.third, stretches.z);
    return Sums(
        mat3x4<f32>(xy * xy, xz * xz, yz * yz),
        mat3x4<f32>(
            xy * (quad.first + stretches.x * quad.second),
            xz * (quad.first + stretches.y * quad.third),
            yz * (quad.second + stretches.z * quad.third),
        ),
    );
}

// A difference's length, or its square.
fn distance_of(square: f32) -> Distance {
    if (DISTANCE == DISTANCE_EUCLIDEAN) {
        let value = sqrt(square);
        return Distance(value, 1.0, select(1.0 / value, 0.0, value == 0.0), vec2<f32>(), false);
    }
    return Distance(square, 1.0, 2.0, vec2<f32>(), false);
}

// 1 − cos of two rows, of their squared lengths and their product: what it is where they are far from parallel.
fn cosine_distance_of(square_a: f32, square_b: f32, product: f32) -> Distance {
    let a = sqrt(square_a);
    let b = sqrt(square_b);
    if (a == 0.0 || b == 0.0) {
        // No direction.
        return Distance(1.0, 1.0, 0.0, vec2<f32>(), false);
    }
    // To the nearest of 12 bits.
    let stretch = bitcast<f32>((bitcast<u32>(a / b) + 0x800u) & 0xfffff000u);
    let is_short = a * b < LEAST_PRODUCT;
    let cosine = product / max(a * b, LEAST_PRODUCT);
    if (is_short) {
        let along = 1.0 / (stretch * LEAST_PRODUCT);
        return Distance(1.0 - cosine, stretch, along, vec2<f32>(-along), false);
    }
    return with_gap(Distance(1.0 - cosine, stretch, 0.0, vec2<f32>(), cosine > 0.5), a, stretch * b, a - stretch * b);
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

// The gradient of a distance by both rows.
fn pull(a: vec4<f32>, b: vec4<f32>, distance: Distance) -> mat2x4<f32> {
    let along = distance.along * difference(a, b, distance.stretch);
    if (is_cosine()) {
        let stretched = distance.stretch * b;
        return mat2x4<f32>(along + distance.own.x * a, distance.stretch * (distance.own.y * stretched - along));
    }
    return mat2x4<f32>(along, -along);
}
