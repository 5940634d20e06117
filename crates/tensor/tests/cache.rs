//! The cache of blocks, which the whole process shares: a process of its own.

use retrograd_tensor::{Tensor, memory_use, set_cache_limit};

#[test]
fn a_cache_full_of_other_sizes_makes_room_for_what_is_used_now() {
    const LIMIT: usize = 1 << 20;
    set_cache_limit(LIMIT);
    for elements in [15_000, 20_000, 50_000] {
        let tensors: Vec<_> = (0..20).map(|_| Tensor::<f32>::ones([elements]).unwrap()).collect();
        drop(tensors);
        assert!(memory_use().cached <= LIMIT);
    }
    drop(Tensor::<f32>::ones([100_000]).unwrap());
    let before = memory_use();
    assert!(before.cached > LIMIT / 4 && before.cached <= LIMIT, "{before:?}");
    for _ in 0..10 {
        Tensor::<f32>::ones([100_000]).unwrap();
    }
    assert_eq!(memory_use(), before);

    // What never fits drives nothing out.
    drop(Tensor::<f32>::ones([LIMIT]).unwrap());
    assert_eq!(memory_use().cached, before.cached);

    set_cache_limit(0);
    assert_eq!(memory_use().cached, 0);
}
