// The private step of a DemandGRU, a block of entities at a time: forward, backward, each entity's gradient, its norm,
// clipping, truncation to the lattice, the sum. Of the gradients of entities nothing outlives its block.
//
// A block is as many entities as a vector has lanes (`lanes.hpp`); where fewer are left the other lanes hold zeros and
// count nothing. The arithmetic is that of common/model/demand_gru.py, common/model/likelihood.py and
// common/privacy/clipping.py; client/round/fused/library.py says what each field of `Task` means.
#include "gradient.hpp"

static void encode(const Task &t, Work &w, int64_t first, int64_t number) {
  const int64_t h = t.hidden, size = t.steps * t.features;
  spread(t.inputs + first * size, size, number, w.length, t.features, w.seen + h, w.seen_row);
  for (int64_t k = 0; k < h; k++) w.seen[k] = all(0.0f);
  for (int64_t step = 0; step < w.length; step++) {
    Floats *state = w.seen + step * w.seen_row, *after = state + w.seen_row, *gate = w.gates + step * w.gate_row;
    multiply<false>(w.gates_of_state, state, w.joint_bias, gate + h);
    multiply<true>(w.gates_of_input, state + h, nullptr, gate + h);
    multiply<false>(w.new_input, state + h, t.bias_ih + 2 * h, gate);
    multiply<false>(w.new_state, state, t.bias_hh + 2 * h, gate + 3 * h);
    for (int64_t k = 0; k < h; k++) {
      Floats reset = gate[h + k], update = gate[2 * h + k];
      sigmoids(reset, update);
      Floats fresh = hyperbolic(gate[k] + reset * gate[3 * h + k]);
      gate[k] = fresh, gate[h + k] = reset, gate[2 * h + k] = update;
      after[k] = fresh + update * (state[k] - fresh);
    }
  }
}

static void decode(const Task &t, Work &w, int64_t first, int64_t number) {
  const int64_t h = t.hidden, d = t.decoder, c = t.covariates + 1, each = w.rows * t.covariates;
  spread(t.future + first * each, each, number, w.rows, t.covariates, w.ahead, c);
  spread(t.anchor + first * w.rows, w.rows, number, w.rows, 1, w.ahead + c - 1, c);
  for (int64_t p = 0; p < t.positions; p++) {
    Floats *context = w.contexts + p * w.context, *step = w.seen + t.position[p] * w.seen_row;
    memcpy(context, step + w.seen_row, h * sizeof(Floats));
    memcpy(context + h, step + h, t.features * sizeof(Floats));
    multiply<false>(w.context_map, context, w.decoder_bias, w.base + p * d);
  }
  for (int64_t row = 0; row < w.rows; row++) {
    Floats *ahead = w.ahead + row * c, *hidden = w.hidden + row * d, *read = w.read_out + row * w.width;
    HalfFloats *anchor = (HalfFloats *)(ahead + c - 1);
    for (int half = 0; half < 2; half++) anchor[half] = narrow(logarithm(1.0 + widen(anchor[half])) * 0.25);
    memcpy(hidden, w.base + row / t.buckets * d, d * sizeof(Floats));
    multiply<true>(w.future_map, ahead, nullptr, hidden);
    for (int64_t k = 0; k < d; k++) hidden[k] = hyperbolic(hidden[k]);
    if (t.direct) {
      memcpy(read, hidden, d * sizeof(Floats));
      memcpy(read + d, w.contexts + row / t.buckets * w.context + h, t.features * sizeof(Floats));
      for (int64_t k = 0; k < w.width; k++) read[k] = (read[k] - t.center[k]) * t.scale[k];
    }
    multiply<false>(w.output_map, read, t.output_bias, w.logits + row * t.outputs);
  }
}

static void tell_outputs(const Task &t, const Work &w, int64_t first, int64_t number) {
  const int64_t each = w.rows * t.outputs;
  for (int64_t lane = 0; lane < number; lane++)
    for (int64_t k = 0; k < each; k++) t.out[(first + lane) * each + k] = w.logits[k][lane];
}

// Put the gradients of the outputs that the caller worked out in the place of ours.
static void take_given(const Task &t, Work &w, int64_t first, int64_t number, int64_t row) {
  for (int64_t lane = 0; lane < number; lane++) {
    const int64_t place = (first + lane) * w.rows + row;
    if (!t.is_given[place]) continue;
    for (int64_t k = 0; k < t.outputs; k++)
      ((float *)(w.slopes + row * t.outputs + k))[lane] = t.given[place * t.outputs + k];
  }
}

// The losses of a block, and their gradients in the outputs.
static void judge(const Task &t, Work &w, int64_t first, int64_t number) {
  const double all_count = 1.0 / (double)w.rows;
  const float *parts[] = {t.anchor, t.spread, t.label, t.weight};
  double sums[L] = {0};
  for (int64_t row = 0; row < w.rows; row++) {
    double *lanes = (double *)w.buckets;
    for (int part = 0; part < 4; part++)
      for (int64_t lane = 0; lane < L; lane++)
        lanes[part * L + lane] = parts[part][(first + (lane < number ? lane : 0)) * w.rows + row];
    for (int half = 0; half < 2; half++) {
      Doubles out[3], slopes[3];
      for (int64_t k = 0; k < t.outputs; k++) out[k] = widen(((HalfFloats *)(w.logits + row * t.outputs + k))[half]);
      Bucket bucket = {w.buckets[half], w.buckets[2 + half], w.buckets[4 + half]};
      Doubles counts = w.buckets[6 + half] * all_count, loss = loss_of((int)t.likelihood, bucket, out, slopes) * counts;
      for (int64_t k = 0; k < t.outputs; k++)
        ((HalfFloats *)(w.slopes + row * t.outputs + k))[half] = narrow(slopes[k] * counts);
      for (int lane = 0; lane < HALF; lane++) {
        const int64_t entity = half * HALF + lane;
        if (entity < number && !(t.is_given && t.is_given[(first + entity) * w.rows + row])) sums[entity] += loss[lane];
      }
    }
    if (t.is_given) take_given(t, w, first, number, row);
  }
  if (t.losses)
    for (int64_t lane = 0; lane < number; lane++) t.losses[first + lane] = sums[lane];
}

static void decode_back(const Task &t, Work &w) {
  const int64_t h = t.hidden, d = t.decoder, o = t.outputs;
  add_rows<false>({w.slopes, o, o}, w.rows, w.parts[OUTPUT_BIAS].at);
  if (t.trained == OUTPUT) return;
  memset(w.summed, 0, t.positions * d * sizeof(Floats));
  for (int64_t row = 0; row < w.rows; row++) {
    const Floats *slope = w.slopes + row * o, *hidden = w.hidden + row * d;
    Floats *delta = w.deltas + row * d, *sum = w.summed + row / t.buckets * d;
    for (int64_t k = 0; k < d; k++) {
      Floats back = slope[0] * t.output_weight[k];
      for (int64_t j = 1; j < o; j++) back += slope[j] * t.output_weight[j * w.width + k];
      if (t.direct) back = back * t.scale[k];
      delta[k] = back * (1.0f - hidden[k] * hidden[k]);
      sum[k] += delta[k];
    }
  }
  add_rows<false>({w.summed, d, d}, t.positions, w.parts[CONTEXT_BIAS].at);
  memcpy(w.parts[FUTURE_BIAS].at, w.parts[CONTEXT_BIAS].at, d * sizeof(Floats));
  if (t.trained == DECODER) return;
  for (int64_t p = 0; p < t.positions; p++) multiply<false>(w.context_back, w.summed + p * d, nullptr, w.pulled + p * h);
}

// Turn the gates of a step into their gradients, in place, and carry the gradient of the state to the step before.
static void step_back(const Task &t, Work &w, int64_t step) {
  const int64_t h = t.hidden;
  Floats *gate = w.gates + step * w.gate_row, *carry = w.carried;
  const Floats *state = w.seen + step * w.seen_row, *after = state + w.seen_row;
  if (t.likelihood == SQUARED_STATES)
    for (int64_t k = 0; k < h; k++) carry[k] += after[k] + after[k];
  else
    for (int64_t p = w.first_at[step]; p >= 0; p = w.next_at[p])
      for (int64_t k = 0; k < h; k++) carry[k] += w.pulled[p * h + k];
  for (int64_t k = 0; k < h; k++) {
    Floats fresh = gate[k], reset = gate[h + k], update = gate[2 * h + k], from_state = gate[3 * h + k], back = carry[k];
    Floats slope = back * (1.0f - update) * (1.0f - fresh * fresh);
    gate[k] = slope;
    gate[h + k] = slope * from_state * reset * (1.0f - reset);
    gate[2 * h + k] = back * (state[k] - fresh) * update * (1.0f - update);
    gate[3 * h + k] = slope * reset;
    carry[k] = back * update;
  }
  multiply<true>(w.state_back, gate + h, nullptr, carry);
}

// Add what some steps give to the gradients of the encoder; without ADD they are the first to.
template <bool ADD>
static void add_steps(const Task &t, Work &w, int64_t first, int64_t number) {
  const int64_t h = t.hidden;
  const Floats *gate = w.gates + first * w.gate_row;
  for (int part = INPUT_GATES; part <= STATES; part++) multiply_out<ADD>(w.parts[part], first, number);
  add_rows<ADD>({gate + h, w.gate_row, 3 * h}, number, w.parts[STATE_BIAS].at);
  add_rows<ADD>({gate, w.gate_row, h}, number, w.parts[INPUT_BIAS].at + 2 * h);
}

static void encode_back(const Task &t, Work &w) {
  const int64_t h = t.hidden;
  memset(w.carried, 0, h * sizeof(Floats));
  for (int64_t last = w.length; last > 0; last -= w.chunk) {
    const int64_t first = last > w.chunk ? last - w.chunk : 0;
    for (int64_t step = last - 1; step >= first; step--) step_back(t, w, step);
    if (last == w.length) add_steps<false>(t, w, first, last - first);
    else add_steps<true>(t, w, first, last - first);
  }
  memcpy(w.parts[INPUT_BIAS].at, w.parts[STATE_BIAS].at, 2 * h * sizeof(Floats));
}

// The factor of each entity: in double precision, as in common/privacy/clipping.py, whose proof holds for it.
static void weigh(const Task &t, const Work &w, int64_t first, int64_t number, Doubles *factor, Longs *counts) {
  Doubles squares[SUMS][2] = {}, square[2] = {};
  for_each_piece(w, [&](const Floats *values, int64_t from, int64_t size) { add_squares(values, from, size, squares); });
  for (int sum = 0; sum < SUMS; sum++) square[0] += squares[sum][0], square[1] += squares[sum][1];
  for (int lane = 0; lane < L; lane++) {
    double norm = std::sqrt(square[lane / HALF][lane % HALF]), part = 1.0;
    if (t.stability > 0.0) part = t.clipping_norm / (norm + t.stability);
    double scaled = norm * part;
    double times = part * (t.bound / (scaled > t.bound ? scaled : t.bound));
    bool is_one = lane < number && norm <= LARGEST && times <= LARGEST;
    if (t.entity_weight && is_one) times *= t.entity_weight[first + lane];
    factor[lane / HALF][lane % HALF] = t.entity_weight ? times : times / t.lattice_step;
    counts[lane / HALF][lane % HALF] = is_one ? -1 : 0;
    if (t.norms && lane < number) t.norms[first + lane] = norm;
  }
}

static inline Doubles scale_lanes(const Floats *from, int half, const Doubles *factor, const Longs *counts) {
  Doubles value = widen(((const HalfFloats *)from)[half]) * factor[half];
  return (Doubles)((Longs)value & counts[half]);  // 0 times what is no number would be none
}

static void add_block(const Task &t, const Work &w, int64_t first, int64_t number) {
  Doubles factor[2];
  Longs counts[2];
  weigh(t, w, first, number, factor, counts);
  for_each_piece(w, [&](const Floats *values, int64_t from, int64_t size) {
    for (int64_t k = 0; k < size; k++) {
      Doubles low = scale_lanes(values + k, 0, factor, counts), high = scale_lanes(values + k, 1, factor, counts);
      if (t.entity_weight) {
        t.weighted_total[from + k] += add_lanes(low + high);
      } else {  // toward zero; an entity has at most 2^24 steps, so that 32 bits hold a block
        t.total[from + k] += add_lanes(__builtin_convertvector(low, HalfInts) + __builtin_convertvector(high, HalfInts));
      }
    }
  });
}

static void tell_gradients(const Task &t, const Work &w, int64_t first, int64_t number) {
  for (int64_t lane = 0; lane < number; lane++)
    for (int64_t k = 0; k < t.parameters; k++) t.gradients[(first + lane) * t.parameters + k] = w.gradient[k][lane];
}

static void run_block(const Task &t, Work &w, int64_t first, int64_t number) {
  if (t.likelihood == ROWS) {
    spread(t.inputs + first * t.parameters, t.parameters, number, t.parameters, 1, w.gradient, 1);
    return add_block(t, w, first, number);
  }
  const bool decodes = t.likelihood != SQUARED_STATES;
  encode(t, w, first, number);
  if (decodes) decode(t, w, first, number);
  if (t.out) return tell_outputs(t, w, first, number);
  if (decodes) judge(t, w, first, number);
  if (decodes) {
    decode_back(t, w);
    for (int part = CONTEXT; part < PARTS; part++) multiply_out<false>(w.parts[part], 0, w.parts[part].number);
  }
  if (t.trained == ALL) encode_back(t, w);
  if (t.gradients) tell_gradients(t, w, first, number);
  else add_block(t, w, first, number);
}

extern "C" {
int64_t hansa_lanes() { return L; }

int64_t hansa_task_bytes() { return sizeof(Task); }

int64_t hansa_workspace_bytes(const Task *task) {
  Arena arena = {nullptr, 0};
  Work work(*task, arena);
  return arena.used;
}

// `workspace` begins at a multiple of 64 bytes, and holds what hansa_workspace_bytes asks for.
void hansa_run(const Task *task, char *workspace) {
  Arena arena = {workspace, 0};
  Work work(*task, arena);
  prepare(*task, work);
  for (int64_t first = 0; first < task->entities; first += L)
    run_block(*task, work, first, task->entities - first < L ? task->entities - first : L);
}
}
