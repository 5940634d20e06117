use super::*;

const MODES: [PaddingMode; 4] =
    [PaddingMode::Zeros, PaddingMode::Reflect, PaddingMode::Replicate, PaddingMode::Circular];

#[test]
fn a_reflected_border_is_shorter_than_the_axis() {
    assert_eq!(along(&ReflectionPad1d::new(2), [1.0, 2.0, 3.0]).0, [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
    let x = Var::from(Tensor::from([[1.0, 2.0, 3.0]]));
    let text = "pad: expected a reflected border of less than the extent 3 at axis -1 of [1, 3], found padding \
                (0, 3)";
    refuses(ReflectionPad1d::new([(0, 3)]).forward(&x), text);
}

#[test]
fn a_circular_border_is_no_longer_than_the_axis() {
    let around = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0];
    assert_eq!(along(&CircularPad1d::new(3), [1.0, 2.0, 3.0]).0, around);
    let x = Var::from(Tensor::from([[1.0, 2.0, 3.0]]));
    let text = "pad: expected a circular border of at most the 3 elements there are at axis -1 of [1, 3], found \
                padding (4, 0)";
    refuses(CircularPad1d::new([(4, 0)]).forward(&x), text);
}

#[test]
fn a_replicated_border_is_as_wide_as_one_likes() {
    assert_eq!(along(&ReplicationPad1d::new([(4, 0)]), [1.0, 2.0]).0, [1.0, 1.0, 1.0, 1.0, 1.0, 2.0]);
}

#[test]
fn a_corner_collects_the_gradients_of_all_its_copies() {
    let (_, gradient) = run(&ReplicationPad2d::new([(2, 0), (1, 0)]), Tensor::ones([1, 2, 2]).unwrap());
    assert_eq!(gradient, Tensor::from([[[6.0, 3.0], [2.0, 1.0]]]));
    let (_, gradient) = run(&ReflectionPad2d::new(1), Tensor::ones([1, 3, 3]).unwrap());
    assert_eq!(gradient, Tensor::from([[[1.0, 3.0, 1.0], [3.0, 9.0, 3.0], [1.0, 3.0, 1.0]]]));
}

#[test]
fn a_border_taken_back_is_the_adjoint_of_the_border() {
    let dot = |a: &Tensor<f64>, b: &Tensor<f64>| a.mul(b).unwrap().sum(..).unwrap().item().unwrap();
    for mode in MODES {
        let border = [(2, 1), (0, 3)];
        let (x, y) = (random([2, 3, 4], 1), random([2, 6, 7], 2));
        let there = dot(&x.pad_with(&border, mode).unwrap(), &y);
        let back = dot(&x, &y.unpad([2, 3, 4], &border, mode).unwrap());
        assert!((there - back).abs() < 1e-12, "{mode:?}: {there} and {back}");
    }
}

#[test]
fn folding_what_was_unfolded_multiplies_each_element_by_how_often_it_was_seen() {
    let (unfold, fold) = (Unfold::new(2), Fold::new(3, 2));
    let there_and_back = |x: Tensor<f64>| run(&fold, run(&unfold, x).0).0;
    let seen = Tensor::from([[[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]]);
    assert_eq!(there_and_back(Tensor::ones([1, 3, 3]).unwrap()), seen);
    let x = Tensor::from([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]);
    assert_eq!(there_and_back(x.clone()), x.mul(&seen).unwrap());
}
