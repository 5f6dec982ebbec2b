<?php
$call = json_decode(file_get_contents('php://input'), true) ?? [];
$doc = $call['args'][0] ?? '';
$file = sys_get_temp_dir() . '/' . md5($doc) . '.txt';

if (($call['event'] ?? '') === 'save') {
    file_put_contents($file, $call['args'][1], LOCK_EX);
    echo '{}';
} else {
    echo json_encode(['join' => [$doc], 'ack' => is_file($file) ? file_get_contents($file) : '']);
}
