use super::*;

const LINEAR: Interpolation = Interpolation::Linear { align_corners: false };
const ALIGNED: Interpolation = Interpolation::Linear { align_corners: true };

/// What a layer makes of numbers along one axis.
fn resampled<const N: usize>(layer: Upsample1d, x: [f64; N]) -> Vec<f64> {
    layer.predict(&Tensor::from([[x]])).unwrap().to_vec()
}

#[test]
fn the_nearest_input_is_the_one_at_the_place_rounded_down() {
    let x = [0.0, 1.0, 2.0];
    assert_eq!(resampled(Upsample1d::size(5), x), [0.0, 0.0, 1.0, 1.0, 2.0]);
    assert_eq!(resampled(Upsample1d::size(2), x), [0.0, 1.0], "not the middle");
    assert_eq!(resampled(Upsample1d::scale_factor(2.0), x), [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
}

#[test]
fn between_two_inputs_edges_lie_on_edges_and_the_border_is_repeated() {
    assert_eq!(resampled(Upsample1d::size(4).mode(LINEAR), [0.0, 4.0]), [0.0, 1.0, 3.0, 4.0]);
    assert_eq!(resampled(Upsample1d::size(1).mode(LINEAR), [0.0, 4.0]), [2.0]);
    assert_eq!(resampled(Upsample1d::size(3).mode(LINEAR), [5.0]), [5.0; 3]);
}

#[test]
fn aligned_corners_stay_what_they_are() {
    assert_eq!(resampled(Upsample1d::size(5).mode(ALIGNED), [0.0, 4.0]), [0.0, 1.0, 2.0, 3.0, 4.0]);
    let y = resampled(Upsample1d::size(7).mode(ALIGNED), [3.0, -1.0, 2.0, 8.0]);
    assert_eq!((y[0], y[6]), (3.0, 8.0));
    assert_eq!(resampled(Upsample1d::size(1).mode(ALIGNED), [3.0, 8.0]), [3.0], "one alone is the first");
}

#[test]
fn the_scale_factor_itself_maps_places_unless_it_is_recomputed() {
    // ⌊3·1.5⌋ = 4: places 0, ⅔, 1⅓, 2 by the factor; 0, ¾, 1½, 2¼ by the extents.
    let layer = Upsample1d::scale_factor(1.5);
    assert_eq!(resampled(layer, [0.0, 1.0, 2.0]), [0.0, 0.0, 1.0, 2.0]);
    let given = resampled(layer.mode(LINEAR), [0.0, 1.0, 2.0]);
    assert_same(&given, &[0.0, 0.5, 2.5 / 1.5 - 0.5, 3.5 / 1.5 - 0.5].map(|y: f64| y.min(2.0)));
    let recomputed = resampled(layer.mode(LINEAR).recompute_scale_factor(true), [0.0, 1.0, 2.0]);
    assert_eq!(recomputed, [0.0, 0.625, 1.375, 2.0]);
}

#[test]
fn what_outputs_share_adds_up_in_the_gradient() {
    let (_, gradient) = run(&Upsample2d::size([3, 4]), Tensor::from([[[[1.0, 2.0]]]]));
    assert_eq!(gradient.to_vec(), [6.0, 6.0]);
    let (_, gradient) = run(&Upsample1d::size(4).mode(LINEAR), Tensor::from([[[1.0, 2.0, 3.0, 4.0, 5.0]]]));
    assert_eq!(gradient.as_slice().iter().sum::<f64>(), 4.0);
}

#[test]
fn there_is_a_batch_axis_always() {
    let x = Tensor::<f64>::ones([2, 3, 3]).unwrap();
    let text = "interpolate: input [2, 3, 3] has 3 axes (expected 4: batch, channels and 2 more)";
    refuses(Upsample2d::scale_factor(2.0).predict(&x), text);
}
