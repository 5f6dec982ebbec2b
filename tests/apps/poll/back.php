<?php
$call = json_decode(file_get_contents('php://input'), true) ?? [];
$file = fopen(sys_get_temp_dir() . '/results.json', 'c+');
flock($file, LOCK_EX);
$results = json_decode(stream_get_contents($file), true) ?? ['cats' => 0, 'dogs' => 0];

function results($to, $results) {
    return ['to' => $to, 'event' => 'results', 'data' => $results];
}

$answer = new stdClass;
if (($call['type'] ?? '') === 'connect') {
    $answer = ['emit' => [results('me', $results)]];
} elseif (($call['event'] ?? '') === 'vote') {
    $choice = $call['args'][0];
    if (!isset($results[$choice])) {
        $answer = ['ack' => 'no such choice'];
    } else {
        $results[$choice]++;
        rewind($file);
        fwrite($file, json_encode($results));
        $answer = ['emit' => [results('all', $results)]];
    }
}
flock($file, LOCK_UN);
echo json_encode($answer);
