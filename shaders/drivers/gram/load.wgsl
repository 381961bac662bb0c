// Rows of features, four columns at once.
//
// Joined to what interface.wgsl lists.

// The places of a row's quad; behind its end, its last column's.
fn places_of(row: u32, quad: u32) -> vec4<u32> {
    let columns = min(4u * quad + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(call.columns - 1u));
    return row * call.columns + columns;
}

// Four values, of which those behind a row's end are 0.
fn within(values: vec4<f32>, quad: u32) -> vec4<f32> {
    if (ALIGNED) {
        return values;
    }
    return select(vec4<f32>(), values, 4u * quad + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(call.columns));
}

fn features(row: u32, quad: u32) -> vec4<f32> {
    return within(load_features(row * call.quads + quad, places_of(row, quad)), quad);
}
