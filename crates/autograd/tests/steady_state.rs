//! The memory of a training step. The counters are the whole process's, so that this test is alone in its
//! binary.

use retrograd_autograd::{Parameter, Tape};
use retrograd_tensor::{Tensor, memory_use, reset_peak};

#[test]
fn a_step_in_steady_state_asks_the_system_for_nothing_and_replay_frees_as_it_passes() {
    let tape = Tape::new();
    let weights: Vec<Parameter> =
        (0..8).map(|_| Parameter::new(Tensor::full([64, 64], 0.01).unwrap())).collect();
    let x = Tensor::<f32>::ones([256, 64]).unwrap();
    let block = x.held_bytes();
    let step = || {
        tape.clear();
        let mut y = tape.constant(x.clone());
        for w in &weights {
            y = y.matmul(&tape.parameter(w)).unwrap().tanh().relu();
        }
        let loss = y.square().mean(..).unwrap();
        drop(y);
        reset_peak();
        let (saved, before) = (tape.saved_bytes(), memory_use());
        let gradients = loss.backward().unwrap();
        assert_eq!(tape.saved_bytes(), 0);
        assert!(saved > 2 * weights.len() * block, "two outputs a layer are kept: {saved}");
        let above = memory_use().peak - before.live;
        assert!(above < 8 * block, "replay took {above} bytes more than the forward pass had left");
        assert!(gradients.iter().count() == weights.len());
    };
    for _ in 0..3 {
        step();
    }
    let requests = memory_use().system_requests;
    for _ in 0..100 {
        step();
    }
    assert_eq!(memory_use().system_requests, requests);
}
