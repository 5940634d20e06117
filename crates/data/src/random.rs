//! SplitMix64: the random numbers behind the order of an epoch.
//!
//! Written out, where a crate's generator may change with its version: an epoch can be repeated exactly by
//! any later version of this crate. Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
//! OOPSLA 2014.

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number that depends on all bits of both.
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    finish((finish(a.wrapping_add(GAMMA)) ^ b).wrapping_add(GAMMA))
}

/// The numbers below `n` in an order that depends on `seed` alone (Fisher and Yates, from the back).
pub(crate) fn permutation(n: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    let mut state = seed;
    for last in (1..n).rev() {
        state = state.wrapping_add(GAMMA);
        // The high word of a product maps 64 random bits to 0..=last, evenly but for 2⁻⁶⁴ · n.
        let chosen = (finish(state) as u128 * (last as u128 + 1)) >> 64;
        order.swap(last, chosen as usize);
    }
    order
}

fn finish(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // The first outputs for seed 0 of Vigna's reference implementation,
        // https://prng.di.unimi.it/splitmix64.c.
        let outputs = [1u64, 2, 3].map(|i| finish(GAMMA.wrapping_mul(i)));
        assert_eq!(outputs, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn a_permutation_never_changes_between_versions() {
        assert_eq!(permutation(8, 0), [1, 2, 6, 5, 4, 0, 3, 7]);
    }

    #[test]
    fn every_number_reaches_every_place_equally_often() {
        const N: usize = 5;
        const DRAWS: u64 = 50_000;
        let mut counts = [[0u64; N]; N];
        for seed in 0..DRAWS {
            for (place, number) in permutation(N, mix(7, seed)).into_iter().enumerate() {
                counts[place][number] += 1;
            }
        }
        let expected = DRAWS as f64 / N as f64;
        let chi_squared: f64 =
            counts.as_flattened().iter().map(|&n| (n as f64 - expected).powi(2) / expected).sum();
        // 16 degrees of freedom: above 40 with probability 0.0008.
        assert!(chi_squared < 40.0, "{chi_squared}");
    }
}
